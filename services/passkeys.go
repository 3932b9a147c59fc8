package services

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"gorm.io/gorm"

	"belfry/models"
)

// passkeyLifetime is how long a person has from the page's question to the device's answer. The browser is told the
// same, but the row decides.
const passkeyLifetime = 5 * time.Minute

// What a ceremony with a passkey is for.
const (
	passkeyAdd            purpose = "passkey.add"
	passkeyLogin          purpose = "passkey.login"
	passkeyUnlock         purpose = "passkey.unlock"
	passkeyReauthenticate purpose = "passkey.reauthenticate"
)

// byPasskey is what the record calls a proof by passkey. It is two factors in one, for the device asks for a finger, a
// face or a PIN.
const byPasskey = "passkey"

var (
	errWrongPasskey = models.Errorf(models.CodeUnauthenticated, "The passkey was not accepted.")
	errNoPasskey    = models.Errorf(models.CodeConflict, "There is no passkey to ask for.")
	errCeremonyOver = models.InvalidField("ceremony", "Not begun here, used already, or begun more than 5 minutes ago; begin again.")
	errNoCredential = models.InvalidField("credential", "Expected what the browser's PublicKeyCredential.toJSON() gives.")
)

// Passkeys lets people sign in, unlock and prove to be there by what their devices hold (W3C Web Authentication Level 3).
type Passkeys struct {
	db       *Database
	sessions *Sessions
	party    *webauthn.WebAuthn // nil = off
	log      *slog.Logger
}

// NewPasskeys makes the service. A passkey belongs to the host of public, the one origin where it works. Where that is
// no domain name, as an address is none, or a name without a dot that is not localhost, passkeys are off.
func NewPasskeys(db *Database, s *Sessions, public *url.URL, log *slog.Logger) *Passkeys {
	p := &Passkeys{db: db, sessions: s, log: log}
	if err := protocol.ValidateRPID(public.Hostname()); err != nil {
		log.Info("passkeys are off: the host of PUBLIC_URL is no domain name")
		return p
	}
	timeouts := webauthn.TimeoutConfig{Timeout: passkeyLifetime}
	party, err := webauthn.New(&webauthn.Config{
		RPID: public.Hostname(), RPDisplayName: "Belfry", RPOrigins: []string{public.Scheme + "://" + public.Host},
		AttestationPreference: protocol.PreferNoAttestation, // which make a device is, is nobody's business
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, RequireResidentKey: protocol.ResidentKeyNotRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: timeouts, Registration: timeouts},
		// Password managers answer extensions that nobody asked for. We use none, so there is nothing to be misled by.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		panic("services: the settings of WebAuthn are not valid: " + err.Error()) // all but the host are constants
	}
	p.party = party
	return p
}

// On reports whether there are passkeys at all.
func (p *Passkeys) On() bool { return p.party != nil }

// Begun is what the page needs to ask the browser for a passkey.
type Begun struct {
	Ceremony string
	Options  any // PublicKeyCredentialCreationOptionsJSON or …RequestOptionsJSON, §5.1.8 and §5.1.9 of the standard
}

// begin keeps what the end will be held against. from bounds how many are begun: each is a row until it expires.
func (p *Passkeys) begin(ctx context.Context, from string, c ceremony, data *webauthn.SessionData, options any) (Begun, error) {
	if err := p.sessions.throttle.ceremony(from); err != nil {
		return Begun{}, err
	}
	kept, err := json.Marshal(data)
	if err != nil {
		return Begun{}, err
	}
	c.Data = string(kept)
	id, err := p.db.beginCeremony(ctx, c, passkeyLifetime)
	return Begun{Ceremony: id, Options: options}, err
}

// finish uses a ceremony up. session is the one that has to have begun it; empty = none.
func (p *Passkeys) finish(tx *gorm.DB, id, session string, of purpose) (*webauthn.SessionData, error) {
	c, err := p.db.takeCeremony(tx, id, of)
	if errors.Is(err, models.ErrNotFound) || (err == nil && c.SessionID != session) {
		return nil, errCeremonyOver
	}
	if err != nil {
		return nil, err
	}
	var data webauthn.SessionData
	return &data, json.Unmarshal([]byte(c.Data), &data)
}

// List gives a person's passkeys, oldest first.
func (p *Passkeys) List(ctx context.Context, userID int64) (keys []models.Passkey, err error) {
	if !p.On() {
		return nil, models.ErrNotFound
	}
	err = p.db.Write.WithContext(ctx).Order("id").Find(&keys, "user_id = ?", userID).Error
	return keys, err
}

// Has reports whether a person can prove themselves by passkey.
func (p *Passkeys) Has(ctx context.Context, userID int64) (has bool, err error) {
	if !p.On() {
		return false, nil
	}
	err = p.db.Read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM passkeys WHERE user_id = ?)", userID).Scan(&has).Error
	return has, err
}

// BeginAdd begins to make a passkey for the session's person; it needs a fresh proof.
func (p *Passkeys) BeginAdd(ctx context.Context, l *Live) (Begun, error) {
	if !p.On() {
		return Begun{}, models.ErrNotFound
	}
	if err := p.sessions.RequireProof(ctx, l); err != nil {
		return Begun{}, err
	}
	tx := p.db.Write.WithContext(ctx)
	if err := p.giveHandle(tx, l.UserID); err != nil {
		return Begun{}, err
	}
	h, err := p.holderOf(tx, &l.User)
	if err != nil {
		return Begun{}, err
	}
	options, data, err := p.party.BeginRegistration(h,
		webauthn.WithCredentialParameters(webauthn.CredentialParametersRecommendedL3()),
		webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return Begun{}, err
	}
	return p.begin(ctx, l.ID, ceremony{Purpose: passkeyAdd, UserID: &l.UserID, SessionID: l.ID}, data, options.Response)
}

// NewPasskey is what it takes to add one: the browser's answer to what BeginAdd gave.
type NewPasskey struct {
	Ceremony   string
	Name       string
	Credential json.RawMessage
}

// Add keeps the passkey that a device has made. One that is known already, whoever's it is, is a conflict (§7.1 of the
// standard, step 26).
func (p *Passkeys) Add(ctx context.Context, l *Live, n NewPasskey, once Repeatable) (key *models.Passkey, replayed bool, err error) {
	if !p.On() {
		return nil, false, models.ErrNotFound
	}
	if length := utf8.RuneCountInString(strings.TrimSpace(n.Name)); length < 1 || length > models.MaxDisplayName {
		return nil, false, models.InvalidField("name", "1 to 100 characters.")
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(n.Credential)
	if err != nil {
		return nil, false, errNoCredential
	}
	id, replayed, err := p.db.createOnce(ctx, once, func(tx *gorm.DB) (int64, error) {
		data, err := p.finish(tx, n.Ceremony, l.ID, passkeyAdd)
		if err != nil {
			return 0, err
		}
		h, err := p.holderOf(tx, &l.User)
		if err != nil {
			return 0, err
		}
		made, err := p.party.CreateCredential(h, *data, parsed)
		if err != nil {
			p.explain(ctx, err)
			return 0, errNoCredential
		}
		if err := p.sessions.holdUser(tx, l.UserID); err != nil {
			return 0, err
		}
		if err := p.sessions.stillActive(tx, l); err != nil {
			return 0, err
		}
		return p.insert(tx, l, n.Name, made)
	})
	if isDuplicate(err) {
		err = models.Errorf(models.CodeConflict, "This passkey is known already.")
	}
	if err != nil {
		// The transaction is undone, and with it that the ceremony is used up. Where this fails as well it expires.
		_, _ = p.db.finishCeremony(ctx, n.Ceremony, passkeyAdd)
		return nil, false, err
	}
	key = &models.Passkey{}
	err = p.db.Write.WithContext(ctx).Take(key, "id = ? AND user_id = ?", id, l.UserID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, false, errGoneAgain
	}
	return key, replayed, err
}

func (p *Passkeys) insert(tx *gorm.DB, l *Live, name string, made *webauthn.Credential) (id int64, err error) {
	transports := make([]string, 0, len(made.Transport))
	for _, t := range made.Transport {
		if models.ValidName(string(t)) { // one that we do not know is kept, for the browser may; a text with spaces is none
			transports = append(transports, string(t))
		}
	}
	var ids []int64
	err = tx.Raw(`INSERT INTO passkeys (user_id, name, credential_id, public_key, transports, flags, sign_count, created_at)
		SELECT id, ?, ?, ?, ?, ?, ?, `+p.db.now()+` FROM users WHERE id = ? AND (SELECT count(*) FROM passkeys WHERE user_id = ?) < ? RETURNING id`,
		name, made.ID, made.PublicKey, strings.Join(transports, " "), uint8(made.Flags.ProtocolValue()), made.Authenticator.SignCount,
		l.UserID, l.UserID, models.MaxPasskeys).Scan(&ids).Error
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, models.Errorf(models.CodeConflict, "A person has at most %d passkeys; remove one first.", models.MaxPasskeys)
	}
	return ids[0], p.db.record(tx, Act{Action: "passkey.added", UserID: l.UserID, Session: l.ID, Detail: map[string]any{"passkey": ids[0]}})
}

// Remove makes a passkey of the session's person useless at once; it needs a fresh proof.
func (p *Passkeys) Remove(ctx context.Context, l *Live, id int64) error {
	if !p.On() {
		return models.ErrNotFound
	}
	if err := p.sessions.RequireProof(ctx, l); err != nil {
		return err
	}
	return p.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		gone := tx.Exec("DELETE FROM passkeys WHERE id = ? AND user_id = ?", id, l.UserID)
		if gone.Error == nil && gone.RowsAffected == 0 {
			return models.ErrNotFound
		}
		if gone.Error != nil {
			return gone.Error
		}
		return p.db.record(tx, Act{Action: "passkey.removed", UserID: l.UserID, Session: l.ID, Detail: map[string]any{"passkey": id}})
	})
}

// explain logs why a passkey was refused; the caller is never told. Without what came from outside.
func (p *Passkeys) explain(ctx context.Context, err error) {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		p.log.InfoContext(ctx, "a passkey was refused", "why", e.Details)
	}
}
