package services

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// logoutEvent is the member of "events" that says what a logout token is for.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutTypes are the types that a logout token's header may give. Many providers say "JWT" or nothing (OpenID Connect
// Back-Channel Logout 1.0 §2.4 only recommends the one of its own); what is of another type was made for something else.
var logoutTypes = map[string]bool{"": true, "jwt": true, "logout+jwt": true}

// clockSkew is how far a token's time of issue may lie in the future.
const clockSkew = time.Minute

var errNoLogout = models.Errorf(models.CodeUnreadable, "This is no logout token for us, or it was used before.")

// Logout takes a logout token that came by the back channel, and ends or locks the sessions that it names: those of one
// sign-in at the provider (sid), or all of a person that began there (sub). Where it names both it means the person's one,
// and those of which the provider never said the sid. That there are none is no fault.
func (f *Federation) Logout(ctx context.Context, raw string) error {
	by := f.actor(ctx)
	// A token with a key that is not known makes us ask the provider for its keys: who guesses is slowed down.
	attempt, err := f.throttle.logout(by.Client.IP)
	if err != nil {
		return err
	}
	token, err := f.readLogout(ctx, raw)
	if errors.Is(err, errNoToken) {
		f.log.WarnContext(ctx, "a logout token was not believed", "error", err)
		return errNoLogout
	}
	attempt.forgive()
	if err != nil {
		return err
	}
	_, err = f.sessions.journal.Transact(WithActor(ctx, *by), func(tx *gorm.DB) ([]journal.Draft, error) {
		// SELECT, for GORM would take a hash behind a bracket for a list; WHERE, for SQLite would take ON for a join's.
		used := tx.Exec("INSERT INTO logout_tokens (id_hash, subject, sid, received_at, expires_at) SELECT ?, ?, ?, "+f.db.now()+", ? WHERE true ON CONFLICT DO NOTHING",
			hashOf(token.Issuer+" "+token.TokenID), token.Subject, token.SessionID, models.InstantOf(token.Expiry)+keptLogout)
		if used.Error != nil {
			return nil, used.Error
		}
		if used.RowsAffected == 0 {
			return nil, errNoLogout
		}
		return f.leave(tx, token.SessionID, token.Subject)
	})
	return err
}

// keptLogout is how long a used token is remembered past its expiry: as long as a sign-in that it overtook may take.
const keptLogout = models.Instant(FederationLifetime / time.Millisecond)

// leave ends or locks, within the caller's transaction, the sessions of a sign-in at the provider, or all of a person
// that began there. Either may be empty.
func (f *Federation) leave(tx *gorm.DB, sid, subject string) ([]journal.Draft, error) {
	where, args := "oidc_sid IS NOT NULL", []any{}
	if sid != "" {
		// Of whom the token names: a session that the provider gave no name could be the one that is meant.
		where, args = where+" AND (oidc_sid = ? OR (oidc_sid = '' AND ? <> ''))", append(args, sid, subject)
	}
	if subject != "" {
		where, args = where+" AND user_id = (SELECT user_id FROM identities WHERE issuer = ? AND subject = ?)", append(args, f.settings.Issuer, subject)
	}
	if f.settings.LockAtLogout {
		return f.sessions.lock(tx, models.ReasonRemote, where, args...)
	}
	return f.sessions.end(tx, models.ReasonLogout, where, args...)
}

// overtaken gives up a session that began, or was unlocked, by a sign-in which meanwhile the provider has said is over, or
// an admin has unbound. The session is there before this looks, so what comes later finds it.
func (f *Federation) overtaken(ctx context.Context, c *ceremony, l *Live, who *federatedIdentity) error {
	var over, bound bool
	err := f.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := f.awaitOthers(tx, who); err != nil {
			return err
		}
		err := tx.Raw("SELECT EXISTS (SELECT 1 FROM logout_tokens WHERE received_at >= ? AND subject IN ('', ?) AND (sid IN ('', ?) OR (subject <> '' AND ? = '')))",
			c.CreatedAt, who.subject, who.session, who.session).Scan(&over).Error
		if err != nil {
			return err
		}
		return tx.Raw("SELECT EXISTS (SELECT 1 FROM identities WHERE issuer = ? AND subject = ? AND user_id = ?)",
			f.settings.Issuer, who.subject, l.UserID).Scan(&bound).Error
	})
	if err != nil || (bound && !over) {
		return err
	}
	reason := models.ReasonLogout
	if !over {
		reason = models.ReasonAdmin
	}
	_, err = f.sessions.journal.Transact(WithActor(ctx, *f.actor(ctx)), func(tx *gorm.DB) ([]journal.Draft, error) {
		return f.sessions.end(tx, reason, "id = ?", l.ID)
	})
	if err != nil {
		return err
	}
	return errNotSignedIn
}

// awaitOthers waits for those who are at it: a token, or an unbinding, that looked for sessions before ours was there cannot
// be seen either until it is committed. Who comes after this waits for us, and looks then.
func (f *Federation) awaitOthers(tx *gorm.DB, who *federatedIdentity) error {
	if f.db.Dialect != Postgres {
		return nil // one writer
	}
	if err := tx.Exec("LOCK TABLE logout_tokens IN SHARE MODE").Error; err != nil {
		return err
	}
	return tx.Exec("SELECT 1 FROM identities WHERE issuer = ? AND subject = ? FOR KEY SHARE", f.settings.Issuer, who.subject).Error
}

// readLogout verifies a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6). One that cannot be believed is errNoToken.
func (f *Federation) readLogout(ctx context.Context, raw string) (*oidc.LogoutToken, error) {
	if strings.Count(raw, ".") != 2 || !logoutTypes[typOf(raw)] { // the library would read JSON too, whose type this does not see
		return nil, fmt.Errorf("%w: of another type", errNoToken)
	}
	p, err := f.discover(ctx)
	if err != nil {
		return nil, err
	}
	now, err := f.db.clock(ctx)
	if err != nil {
		return nil, err
	}
	token, err := verify(f, p, now, func(v *oidc.IDTokenVerifier) (*oidc.LogoutToken, error) { return v.VerifyLogout(ctx, raw) })
	if err != nil {
		return nil, err
	}
	var claims struct {
		Events map[string]map[string]any `json:"events"`
	}
	if err := token.Claims(&claims); err != nil || claims.Events[logoutEvent] == nil {
		return nil, fmt.Errorf("%w: the event is no object", errNoToken)
	}
	if token.IssuedAt.Unix() <= 0 || token.IssuedAt.After(now.Time().Add(clockSkew)) {
		return nil, fmt.Errorf("%w: issued at no time, or in the future", errNoToken)
	}
	if !storable(token.Subject) || !storable(token.SessionID) {
		return nil, fmt.Errorf("%w: names that nobody has", errNoToken)
	}
	return token, nil
}
