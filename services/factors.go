package services

import (
	"context"
	"strings"
	"unicode"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Factors keeps what a person shows beside the password at sign-in: an authenticator app, and the recovery codes that
// stand in for it.
type Factors struct {
	db       *Database
	vault    *Vault
	throttle *Throttle
	issuer   string
}

// NewFactors makes the service. issuer is the name under which an app lists the account: the host that people see.
func NewFactors(db *Database, v *Vault, throttle *Throttle, issuer string) *Factors {
	return &Factors{db: db, vault: v, throttle: throttle, issuer: issuer}
}

// FactorsView says in which ways a person can sign in.
type FactorsView struct {
	Password      bool  `json:"password"`
	TOTP          bool  `json:"totp" doc:"An authenticator app is on"`
	RecoveryCodes int64 `json:"recovery_codes" doc:"How many are left"`
	Passkeys      int64 `json:"passkeys"`
	SingleSignOn  bool  `json:"single_sign_on"`
}

// Of tells in which ways a person can sign in.
func (f *Factors) Of(ctx context.Context, user *models.User) (view FactorsView, err error) {
	err = f.db.Write.WithContext(ctx).Raw(`SELECT EXISTS (SELECT 1 FROM totps WHERE user_id = ? AND secret IS NOT NULL) AS totp,
		(SELECT count(*) FROM recovery_codes WHERE user_id = ?) AS recovery_codes, (SELECT count(*) FROM passkeys WHERE user_id = ?) AS passkeys`,
		user.ID, user.ID, user.ID).Scan(&view).Error
	view.Password = user.PasswordHash != ""
	return view, err
}

var errSecondFactor = models.Errorf(models.CodeSecondFactor, "Give the code of your authenticator app, or a recovery code, as well.")

// proof is by what a sign-in comes to be, and what that uses up.
type proof struct {
	how   string
	spend spend
}

// second asks for the second factor of a person whose password was right. Where no authenticator is on the password is
// enough, and a code is not looked at.
func (f *Factors) second(ctx context.Context, user *models.User, code string) (*proof, error) {
	app, err := f.authenticator(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	if app == nil {
		return &proof{byPassword, func(*gorm.DB) error { return nil }}, nil
	}
	code = squeeze(code)
	if code == "" {
		return nil, errSecondFactor
	}
	// By account alone: six digits do not withstand many addresses. Only who knows the password can use this up.
	attempt, err := f.throttle.code(user.ID)
	if err != nil {
		return nil, err
	}
	var shown *proof
	if len(code) == totpForm.Digits.Length() {
		shown, err = f.byTOTP(app, code)
	} else {
		shown, err = f.byRecoveryCode(ctx, user.ID, code)
	}
	if models.CodeOf(err) != models.CodeUnauthenticated {
		attempt.forgive()
	}
	return shown, err
}

// squeeze takes away what people type, or programs paste, between groups.
func squeeze(code string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) {
			return -1
		}
		return r
	}, code)
}

// RemoveFactors takes the authenticator, the recovery codes and the passkeys from somebody who has lost them, and ends their
// sessions.
func (s *Sessions) RemoveFactors(ctx context.Context, username string) error {
	id, err := userID(s.db.Read.WithContext(ctx), username)
	if err != nil {
		return err
	}
	_, err = s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// First, or a passkey that is being added would stay, and its session too.
		if err := s.takeUser(tx, id); err != nil {
			return nil, err
		}
		for _, table := range []string{"totps", "passkeys"} {
			if err := tx.Exec("DELETE FROM "+table+" WHERE user_id = ?", id).Error; err != nil {
				return nil, err
			}
		}
		if err := s.db.record(tx, Act{Action: "factors.removed", UserID: id}); err != nil {
			return nil, err
		}
		return s.end(tx, models.ReasonAdmin, "user_id = ?", id)
	})
	return err
}
