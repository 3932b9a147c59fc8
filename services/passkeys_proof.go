package services

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"gorm.io/gorm"

	"belfry/models"
)

// handleSize is the length of what an authenticator knows a person by: the most that the standard allows (§5.4.3), random,
// so that it tells nothing of them.
const handleSize = 64

// holder is a person with their passkeys, as the library wants them.
type holder struct {
	user   *models.User
	handle []byte
	keys   []models.Passkey
}

func (h *holder) WebAuthnID() []byte          { return h.handle }
func (h *holder) WebAuthnName() string        { return h.user.Username }
func (h *holder) WebAuthnDisplayName() string { return h.user.DisplayName }

func (h *holder) WebAuthnCredentials() []webauthn.Credential {
	list := make([]webauthn.Credential, len(h.keys))
	for i := range h.keys {
		k := &h.keys[i]
		list[i] = webauthn.Credential{ID: k.CredentialID, PublicKey: k.PublicKey, Flags: webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(k.Flags)),
			Authenticator: webauthn.Authenticator{SignCount: k.SignCount}}
		for _, t := range k.Transports() {
			list[i].Transport = append(list[i].Transport, protocol.AuthenticatorTransport(t))
		}
	}
	return list
}

// giveHandle gives a person a handle at the first time, and leaves the one they have.
func (p *Passkeys) giveHandle(tx *gorm.DB, userID int64) error {
	fresh := make([]byte, handleSize)
	_, _ = rand.Read(fresh) // never fails: it would end the program
	return tx.Exec("UPDATE users SET passkey_handle = ? WHERE id = ? AND passkey_handle IS NULL", fresh, userID).Error
}

// holderOf reads a person's passkeys.
func (p *Passkeys) holderOf(tx *gorm.DB, user *models.User) (*holder, error) {
	h := &holder{user: user}
	if err := tx.Raw("SELECT passkey_handle FROM users WHERE id = ?", user.ID).Row().Scan(&h.handle); err != nil {
		return nil, err
	}
	return h, tx.Order("id").Find(&h.keys, "user_id = ?", user.ID).Error
}

// byHandle finds whose handle an authenticator has given.
func (p *Passkeys) byHandle(ctx context.Context, handle []byte) (*holder, error) {
	tx := p.db.Write.WithContext(ctx)
	h := &holder{user: &models.User{}, handle: handle}
	if err := tx.Take(h.user, "passkey_handle = ?", handle).Error; err != nil {
		return nil, err
	}
	return h, tx.Order("id").Find(&h.keys, "user_id = ?", h.user.ID).Error
}

// BeginLogin begins a sign-in of whoever it is: the device knows.
func (p *Passkeys) BeginLogin(ctx context.Context, client Client) (Begun, error) {
	if !p.On() {
		return Begun{}, models.ErrNotFound
	}
	options, data, err := p.party.BeginDiscoverableLogin()
	if err != nil {
		return Begun{}, err
	}
	return p.begin(ctx, client.IP, ceremony{Purpose: passkeyLogin}, data, options.Response)
}

// Answer is what a browser made of what one of the Begin functions gave.
type Answer struct {
	Ceremony   string
	Credential json.RawMessage
}

func (a *Answer) parse() (*protocol.ParsedCredentialAssertionData, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(a.Credential)
	if err != nil {
		return nil, errNoCredential
	}
	return parsed, nil
}

// Login starts a session for who has the device. Every wrong passkey is refused in one way. old is the session this
// browser had before, if any; it ends.
func (p *Passkeys) Login(ctx context.Context, a Answer, client Client, old *Live) (*Live, string, error) {
	if !p.On() {
		return nil, "", models.ErrNotFound
	}
	parsed, err := a.parse()
	if err != nil {
		return nil, "", err
	}
	attempt, err := p.sessions.throttle.address(client.IP)
	if err != nil {
		return nil, "", err
	}
	data, err := p.finish(p.db.Write.WithContext(ctx), a.Ceremony, "", passkeyLogin)
	if err != nil {
		attempt.forgive()
		return nil, "", err
	}
	h := &holder{user: &models.User{}}
	var away error // of the database: no fault of the passkey
	_, used, err := p.party.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		found, err := p.byHandle(ctx, handle)
		if err != nil {
			if !errors.Is(err, gorm.ErrRecordNotFound) {
				away = err
			}
			return nil, err
		}
		h = found
		return h, nil
	}, *data, parsed)
	if away != nil {
		attempt.forgive()
		return nil, "", away
	}
	if err = p.accept(ctx, h, used, err); err == nil {
		var live *Live
		var cookie string
		if live, cookie, err = p.sessions.start(ctx, h.user, client, old, byPasskey, p.spend(used)); err == nil {
			attempt.forgive()
			return live, cookie, nil
		}
	}
	if !errors.Is(err, errWrongPasskey) && !errors.Is(err, errWrongPair) { // the latter of who is disabled
		attempt.forgive()
		return nil, "", err
	}
	return nil, "", p.db.refused(ctx, errWrongPasskey, Act{Action: "sign_in.failed", UserID: h.user.ID, Detail: map[string]any{"how": byPasskey}})
}

// BeginUnlock begins to unlock the session by a passkey of its person.
func (p *Passkeys) BeginUnlock(ctx context.Context, l *Live) (Begun, error) {
	return p.beginProof(ctx, l, passkeyUnlock)
}

// BeginReauthenticate begins a fresh proof by a passkey of the session's person.
func (p *Passkeys) BeginReauthenticate(ctx context.Context, l *Live) (Begun, error) {
	return p.beginProof(ctx, l, passkeyReauthenticate)
}

func (p *Passkeys) beginProof(ctx context.Context, l *Live, of purpose) (Begun, error) {
	if !p.On() {
		return Begun{}, models.ErrNotFound
	}
	h, err := p.holderOf(p.db.Write.WithContext(ctx), &l.User)
	if err != nil {
		return Begun{}, err
	}
	if len(h.keys) == 0 {
		return Begun{}, errNoPasskey
	}
	options, data, err := p.party.BeginLogin(h)
	if err != nil {
		return Begun{}, err
	}
	// All passkeys of the person are allowed, so those they have at the end are the list: one that is removed meanwhile
	// would else refuse the others.
	data.AllowedCredentialIDs = nil
	return p.begin(ctx, l.ID, ceremony{Purpose: of, UserID: &l.UserID, SessionID: l.ID}, data, options.Response)
}

// Unlock gives a locked session back for a passkey of its own person, as [Sessions.Unlock] does for the password. Another
// person's passkey counts as a wrong one.
func (p *Passkeys) Unlock(ctx context.Context, l *Live, a Answer) (*Live, string, error) {
	if !p.On() {
		return nil, "", models.ErrNotFound
	}
	l, active, err := p.sessions.unlockable(ctx, l)
	if err != nil || active != nil {
		return active, "", err
	}
	attempt, err := p.sessions.throttle.proof(l.ID)
	if err != nil {
		return nil, "", err
	}
	used, err := p.prove(ctx, l, a, passkeyUnlock)
	if err == nil {
		var live *Live
		var cookie string
		if live, cookie, err = p.sessions.reopen(ctx, l, byPasskey, p.spend(used)); err == nil {
			attempt.forgive()
			return live, cookie, nil
		}
	}
	if errors.Is(err, errWrongPasskey) {
		return nil, "", p.sessions.countWrongUnlock(ctx, l, attempt, errWrongPasskey)
	}
	attempt.forgive()
	return nil, "", err
}

// Reauthenticate is a fresh proof, for what needs one.
func (p *Passkeys) Reauthenticate(ctx context.Context, l *Live, a Answer) error {
	if !p.On() {
		return models.ErrNotFound
	}
	attempt, err := p.sessions.throttle.proof(l.ID)
	if err != nil {
		return err
	}
	used, err := p.prove(ctx, l, a, passkeyReauthenticate)
	if err == nil {
		err = p.sessions.markProved(ctx, l, byPasskey, p.spend(used))
	}
	if errors.Is(err, errWrongPasskey) {
		return p.sessions.wrongProof(ctx, l, err)
	}
	attempt.forgive()
	return err
}

// prove holds the answer of a session's browser against what was begun and against its person's passkeys. A wrong one is
// errWrongPasskey, and alone an attempt.
func (p *Passkeys) prove(ctx context.Context, l *Live, a Answer, of purpose) (*webauthn.Credential, error) {
	parsed, err := a.parse()
	if err != nil {
		return nil, err
	}
	tx := p.db.Write.WithContext(ctx)
	data, err := p.finish(tx, a.Ceremony, l.ID, of)
	if err != nil {
		return nil, err
	}
	h, err := p.holderOf(tx, &l.User)
	if err != nil {
		return nil, err
	}
	used, err := p.party.ValidateLogin(h, *data, parsed)
	return used, p.accept(ctx, h, used, err)
}

// accept makes one refusal of whatever the library found wrong. A counter that did not grow is the sign of a copied key
// (§6.1.1 of the standard): it is refused as well, and told to whoever reads the record.
func (p *Passkeys) accept(ctx context.Context, h *holder, used *webauthn.Credential, err error) error {
	if err != nil {
		p.explain(ctx, err)
		return errWrongPasskey
	}
	if used.Authenticator.CloneWarning {
		return p.db.refused(ctx, errWrongPasskey, Act{Action: "passkey.refused", UserID: h.user.ID, Detail: map[string]any{"why": "counter"}})
	}
	return nil
}

// spend notes the use of a passkey, in the transaction of what it was used for. It is at the same time the last check:
// the statement hits no row when the passkey was removed meanwhile, or the same signature came twice.
func (p *Passkeys) spend(used *webauthn.Credential) spend {
	return func(tx *gorm.DB) error {
		count := used.Authenticator.SignCount
		done := tx.Exec("UPDATE passkeys SET sign_count = ?, flags = ?, last_used_at = "+p.db.now()+
			" WHERE credential_id = ? AND (sign_count < ? OR (sign_count = 0 AND ? = 0))",
			count, uint8(used.Flags.ProtocolValue()), used.ID, count, count)
		if done.Error == nil && done.RowsAffected == 0 {
			return errWrongPasskey
		}
		return done.Error
	}
}
