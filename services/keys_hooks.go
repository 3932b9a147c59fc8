package services

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"belfry/models"
)

// hookPrefix lets people, and scanners for leaked secrets, tell the secret of a hook by its looks.
const hookPrefix = "bfh_"

// hookFaults names what is wrong with how other systems are to call under the key.
func (s *KeySpec) hookFaults() (faults []models.FieldError) {
	if s.Hook != "" && !slices.Contains(models.Hooks, s.Hook) {
		faults = append(faults, models.FieldError{Field: "hook", Detail: "One of github."})
	}
	if (s.Hook != "" || s.Mapping != nil) && !slices.Contains(s.Scopes, models.ScopeNoticesWrite) {
		faults = append(faults, models.FieldError{Field: "scopes", Detail: "What other systems call publishes, and needs notices:write."})
	}
	if s.Mapping != nil {
		if _, err := ReadingOf(s.Mapping); err != nil {
			if refused, ok := errors.AsType[*models.Error](err); ok {
				faults = append(faults, refused.Fields...)
			}
		}
	}
	return faults
}

// hookPurpose binds the secret of a hook to its key.
func hookPurpose(id int64) string { return "hook key:" + strconv.FormatInt(id, 10) }

// giveHookSecret makes the secret that a sender signs with. It is another than the key's own, which is kept as a hash and
// could check no signature, and may do more.
func (k *Keys) giveHookSecret(tx *gorm.DB, id int64) error {
	sealed := k.vault.Seal(hookPurpose(id), []byte(hookPrefix+randomText(32)))
	return tx.Exec("UPDATE api_keys SET hook_secret = ? WHERE id = ?", sealed, id).Error
}

func (k *Keys) openHookSecret(key *models.Key) ([]byte, error) {
	if key.HookSecret == nil {
		return nil, errSealed
	}
	return k.vault.Open(hookPurpose(key.ID), *key.HookSecret)
}

// ResolveSigned finds the key with this id for whose hook a call is signed: HMAC-SHA-256 over the whole body. Whether it is
// the id or the signature that is wrong does not show, in the answer or in the time that it takes.
func (k *Keys) ResolveSigned(ctx context.Context, hook models.Hook, id int64, signature, body []byte) (*models.Key, error) {
	key := &models.Key{}
	err := k.db.Read.WithContext(ctx).Where("id = ? AND hook = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > "+k.db.now()+")", id, hook).Take(key).Error
	known := err == nil
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, err
	}
	secret := []byte(hookPrefix) // of none; what is signed with it is refused all the same
	if known {
		if secret, err = k.openHookSecret(key); err != nil {
			return nil, err
		}
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	if !hmac.Equal(mac.Sum(nil), signature) || !known {
		return nil, errBadCredential
	}
	k.noteUse(ctx, key.ID)
	return key, nil
}
