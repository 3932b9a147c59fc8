package services

import (
	"context"
	"net/url"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// resetTTL is how long a link for a new password is good.
const resetTTL = time.Hour

// Reset is the token of a link for a new password, which is shown once.
type Reset struct {
	Token     string
	ExpiresAt models.Instant
}

// URL is the link. The token lies in the fragment, which a browser sends to nobody, so that it comes into no log.
func (r *Reset) URL(site *url.URL) string {
	return (&url.URL{Scheme: site.Scheme, Host: site.Host, Path: "/reset", Fragment: r.Token}).String()
}

// MakeReset makes a token by which a person may set a new password, once. It takes the place of one made before.
func (u *Users) MakeReset(ctx context.Context, username string) (Reset, error) {
	user, err := u.Find(ctx, username)
	if err != nil {
		return Reset{}, err
	}
	reset := Reset{Token: randomText(32)}
	err = u.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		err := tx.Raw("INSERT INTO password_resets (user_id, token_hash, expires_at) VALUES (?, ?, "+u.db.now()+
			" + ?) ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at RETURNING expires_at",
			user.ID, hashOf(reset.Token), resetTTL.Milliseconds()).Scan(&reset.ExpiresAt).Error
		if err != nil {
			return err
		}
		return u.db.record(tx, Act{Action: "password.reset_link_made", UserID: user.ID})
	})
	return reset, err
}

// errBadReset is the one answer to a token that never was, was used, has expired or was voided.
var errBadReset = models.InvalidField("token", "This link is not valid, or not any more; ask for a new one.")

// ResetPassword sets a new password for whoever has the token of a link, and ends the person's sessions.
func (s *Sessions) ResetPassword(ctx context.Context, token, next string, client Client) error {
	if !models.ValidPassword(next) {
		return models.InvalidField("new", passwordRule)
	}
	attempt, err := s.throttle.address(client.IP)
	if err != nil {
		return err
	}
	err = s.resetPassword(ctx, token, next)
	if models.CodeOf(err) != models.CodeInvalid {
		attempt.forgive()
	}
	return err
}

func (s *Sessions) resetPassword(ctx context.Context, token, next string) error {
	const good = "token_hash = ? AND expires_at > "
	var known int64
	err := s.db.Write.WithContext(ctx).Raw("SELECT count(*) FROM password_resets WHERE "+good+s.db.now(), hashOf(token)).Scan(&known).Error
	if err != nil {
		return err
	}
	if known == 0 {
		return errBadReset // before the password is hashed, which takes a core for 20 ms
	}
	hash, err := s.hasher.Hash(ctx, next)
	if err != nil {
		return err
	}
	_, err = s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		var user int64
		// Taking the token is deleting it, so of two that show it at once one sets the password.
		err := tx.Raw("DELETE FROM password_resets WHERE "+good+s.db.now()+" RETURNING user_id", hashOf(token)).Scan(&user).Error
		if err == nil && user == 0 {
			err = errBadReset
		}
		if err == nil {
			err = tx.Exec("UPDATE users SET password_hash = ? WHERE id = ?", hash, user).Error
		}
		if err == nil {
			err = s.db.record(tx, Act{Action: "password.reset", UserID: user})
		}
		if err != nil {
			return nil, err
		}
		drafts, err := s.end(tx, models.ReasonPasswordChanged, "user_id = ?", user)
		return append(drafts, accountDraft(user, accountChanged)), err
	})
	return err
}

// voidReset makes a link worthless that lies around when a password was set in another way.
func voidReset(tx *gorm.DB, user int64) error {
	return tx.Exec("DELETE FROM password_resets WHERE user_id = ?", user).Error
}
