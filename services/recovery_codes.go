package services

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
)

const (
	recoveryCodes = 10
	// recoveryBytes make 24 characters of base32. 120 bits cannot be guessed, so a plain hash of them is enough (63B §3.1.2.2
	// asks for 112).
	recoveryBytes = 15
	recoveryGroup = 4
)

var errNoTOTP = models.Errorf(models.CodeConflict, "There are recovery codes only while an authenticator is on.")

// RenewRecoveryCodes gives new codes in place of all that were left.
func (f *Factors) RenewRecoveryCodes(ctx context.Context, user *models.User) (codes []string, err error) {
	err = f.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// A statement that changes nothing but holds the row: of two renewals at once, one would not see what the other makes.
		held := tx.Exec("UPDATE totps SET last_step = last_step WHERE user_id = ? AND secret IS NOT NULL", user.ID)
		if held.Error == nil && held.RowsAffected == 0 {
			return errNoTOTP
		}
		if held.Error != nil {
			return held.Error
		}
		if codes, err = replaceCodes(tx, user.ID); err != nil {
			return err
		}
		return f.db.record(tx, Act{Action: "recovery_codes.made", UserID: user.ID})
	})
	return codes, err
}

// replaceCodes makes a person's codes anew, within the transaction of who holds the row of the authenticator.
func replaceCodes(tx *gorm.DB, user int64) ([]string, error) {
	if err := tx.Exec("DELETE FROM recovery_codes WHERE user_id = ?", user).Error; err != nil {
		return nil, err
	}
	codes, rows := make([]string, recoveryCodes), make([]map[string]any, recoveryCodes)
	for i := range codes {
		code := newRecoveryCode()
		codes[i], rows[i] = grouped(code), map[string]any{"user_id": user, "hash": hashOf(code)}
	}
	return codes, tx.Table("recovery_codes").Create(rows).Error
}

func newRecoveryCode() string {
	b := make([]byte, recoveryBytes)
	_, _ = rand.Read(b) // never fails: it would end the program
	return base32.StdEncoding.EncodeToString(b)
}

// grouped sets dashes, for reading and typing.
func grouped(code string) string {
	groups := make([]string, 0, len(code)/recoveryGroup)
	for ; code != ""; code = code[recoveryGroup:] {
		groups = append(groups, code[:recoveryGroup])
	}
	return strings.Join(groups, "-")
}

// byRecoveryCode looks at one of a person's codes. To use it up is to delete it, so of two that show one at once, one is
// let in.
func (f *Factors) byRecoveryCode(ctx context.Context, user int64, code string) (*proof, error) {
	hash := hashOf(strings.ToUpper(code))
	var known int64
	err := f.db.Write.WithContext(ctx).Raw("SELECT count(*) FROM recovery_codes WHERE user_id = ? AND hash = ?", user, hash).Scan(&known).Error
	if err != nil {
		return nil, err
	}
	if known == 0 {
		return nil, errWrongPair
	}
	return &proof{byRecoveryCode, func(tx *gorm.DB) error {
		used := tx.Exec("DELETE FROM recovery_codes WHERE user_id = ? AND hash = ?", user, hash)
		if used.Error == nil && used.RowsAffected == 0 {
			return errWrongPair
		}
		if used.Error != nil {
			return used.Error
		}
		var left int64
		if err := tx.Raw("SELECT count(*) FROM recovery_codes WHERE user_id = ?", user).Scan(&left).Error; err != nil {
			return err
		}
		return f.db.record(tx, Act{Action: "recovery_code.used", UserID: user, Detail: map[string]any{"left": left}})
	}}, nil
}
