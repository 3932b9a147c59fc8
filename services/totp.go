package services

import (
	"context"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"gorm.io/gorm"

	"belfry/models"
)

// totpForm is a code of RFC 6238 as every app makes it. Skew is left to us, who have to know which step a code was of.
var totpForm = totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

const (
	totpPeriod = 30 // s
	// totpSkew is how many steps before and after the present one are let through: for a clock that is off, and for the
	// time that typing takes (RFC 6238 §5.2).
	totpSkew = 1
	// totpPending is how long an authenticator that was shown may be confirmed.
	totpPending = 15 * time.Minute
)

// totpPurpose is what a person's secret is sealed for.
func totpPurpose(user int64) string { return "totp " + userAudience(user) }

var errNoneWaits = models.Errorf(models.CodeConflict, "No authenticator waits to be confirmed; begin anew.")

// NewTOTP is an authenticator that is not in use before it is confirmed.
type NewTOTP struct {
	Secret string `json:"secret" doc:"Base32, to be typed into an app"`
	URI    string `json:"uri" doc:"otpauth://…, to be shown as a QR code"`
}

// BeginTOTP makes a secret for an authenticator app. One that is in use stays so until the new one is confirmed.
func (f *Factors) BeginTOTP(ctx context.Context, user *models.User) (NewTOTP, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: f.issuer, AccountName: user.Username, Period: totpForm.Period})
	if err != nil {
		return NewTOTP{}, err
	}
	err = f.db.Write.WithContext(ctx).Exec("INSERT INTO totps (user_id, pending, pending_at) VALUES (?, ?, "+f.db.now()+
		") ON CONFLICT (user_id) DO UPDATE SET pending = excluded.pending, pending_at = excluded.pending_at",
		user.ID, f.vault.Seal(totpPurpose(user.ID), []byte(key.Secret()))).Error
	return NewTOTP{Secret: key.Secret(), URI: key.URL()}, err
}

// ConfirmTOTP puts the authenticator that was begun into use, for a code that it shows, and gives new recovery codes.
func (f *Factors) ConfirmTOTP(ctx context.Context, l *Live, code string) (codes []string, err error) {
	attempt, err := f.throttle.proof(l.ID)
	if err != nil {
		return nil, err
	}
	var row struct {
		Pending string
		NowMs   models.Instant
	}
	now := f.db.now()
	err = f.db.Write.WithContext(ctx).Raw("SELECT pending, "+now+" AS now_ms FROM totps WHERE user_id = ? AND pending_at > "+now+" - ?",
		l.UserID, totpPending.Milliseconds()).Scan(&row).Error
	if err == nil && row.Pending == "" {
		err = errNoneWaits
	}
	var step int64
	if err == nil {
		step, err = f.step(l.UserID, row.Pending, squeeze(code), row.NowMs, 0)
	}
	if err != nil {
		attempt.forgive()
		return nil, err
	}
	if step == 0 {
		return nil, models.InvalidField("code", "This is not the code that the app shows now.")
	}
	attempt.forgive()
	err = f.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE totps SET secret = pending, pending = NULL, pending_at = NULL, last_step = ? WHERE user_id = ? AND pending = ?", step, l.UserID, row.Pending)
		if done.Error == nil && done.RowsAffected == 0 {
			return errNoneWaits // another was begun meanwhile
		}
		if done.Error != nil {
			return done.Error
		}
		if codes, err = replaceCodes(tx, l.UserID); err != nil {
			return err
		}
		return f.db.record(tx, Act{Action: "totp.enabled", UserID: l.UserID},
			Act{Action: "recovery_codes.made", UserID: l.UserID})
	})
	return codes, err
}

// DisableTOTP ends the use of the authenticator. Its recovery codes go with it.
func (f *Factors) DisableTOTP(ctx context.Context, user *models.User) error {
	return f.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var inUse bool
		if err := tx.Raw("DELETE FROM totps WHERE user_id = ? RETURNING secret IS NOT NULL", user.ID).Scan(&inUse).Error; err != nil || !inUse {
			return err
		}
		return f.db.record(tx, Act{Action: "totp.disabled", UserID: user.ID})
	})
}

// authenticator is the row of an app in use, with the database's clock.
type authenticator struct {
	UserID   int64
	Secret   string
	LastStep int64
	NowMs    models.Instant
}

// authenticator reads the app that a person has in use; nil when there is none.
func (f *Factors) authenticator(ctx context.Context, user int64) (*authenticator, error) {
	var rows []authenticator
	err := f.db.Write.WithContext(ctx).Raw("SELECT user_id, secret, last_step, "+f.db.now()+" AS now_ms FROM totps WHERE user_id = ? AND secret IS NOT NULL", user).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// byTOTP looks at a code of the app. Its step is written down by a statement that asks the row once more, so of two that
// show one code at once, at whichever nodes, one is let in.
func (f *Factors) byTOTP(app *authenticator, code string) (*proof, error) {
	step, err := f.step(app.UserID, app.Secret, code, app.NowMs, app.LastStep)
	if err != nil {
		return nil, err
	}
	if step == 0 {
		return nil, errWrongPair
	}
	return &proof{byTOTP, func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE totps SET last_step = ? WHERE user_id = ? AND secret = ? AND last_step < ?", step, app.UserID, app.Secret, step)
		if done.Error == nil && done.RowsAffected == 0 {
			return errWrongPair
		}
		return done.Error
	}}, nil
}

// step opens a secret and tells which time step a code is of; 0 = of none that may be used.
func (f *Factors) step(user int64, sealed, code string, now models.Instant, used int64) (int64, error) {
	secret, err := f.vault.Open(totpPurpose(user), sealed)
	if err != nil {
		return 0, err
	}
	return totpStep(string(secret), code, now, used), nil
}

// totpStep tells which time step a code is of, among the present one and its neighbours; 0 = of none. A step at or before
// the last one used does not count: who watches a code being typed could use it once more.
func totpStep(secret, code string, now models.Instant, used int64) int64 {
	present := now.Time().Unix() / totpPeriod
	for step := max(present-totpSkew, used+1); step <= present+totpSkew; step++ {
		if fits, err := totp.ValidateCustom(code, secret, time.Unix(step*totpPeriod, 0), totpForm); err == nil && fits {
			return step
		}
	}
	return 0
}
