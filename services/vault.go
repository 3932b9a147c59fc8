package services

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
)

// Vault keeps secrets that have to be read back, such as those of authenticator apps. Where the operator gives the signing
// key they are sealed with AES-256-GCM, so that a copy of the database alone is of no use. A key that lies in the database
// would be no lock, so then they are stored as they are.
type Vault struct {
	ring *Keyring
}

// NewVault seals with keys worked out of the ring's. A nil ring is a command that knows no key: what it stores is sealed when
// a server starts.
func NewVault(ring *Keyring) *Vault {
	if ring == nil {
		ring = &Keyring{}
		ring.keys.Store(&[]signingKey{})
	}
	return &Vault{ring}
}

// The forms of a stored secret: "sealed.KID.TEXT" and "plain.TEXT", the text as base64url.
const (
	sealedForm = "sealed."
	plainForm  = "plain."
)

var errSealed = errors.New("a stored secret cannot be opened: is the SECRET it was sealed under still given?")

// Seal gives the stored form of a secret. purpose says what it is and whose; it has to be the same again to open it, so
// that nobody who can write to the database makes use of one person's secret for another.
func (v *Vault) Seal(purpose string, plain []byte) string {
	if !v.ring.given {
		return plainForm + base64.RawURLEncoding.EncodeToString(plain)
	}
	key := v.ring.signing()
	aead, err := key.aead()
	if err != nil {
		panic("services: no cipher of a key of 32 bytes: " + err.Error()) // cannot be
	}
	return sealedForm + key.kid + "." + base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plain, []byte(purpose))) //nolint:gosec // the nonce is drawn inside
}

// Open gives back what was sealed for the same purpose, under whichever key of the ring.
func (v *Vault) Open(purpose, stored string) ([]byte, error) {
	if text, ok := strings.CutPrefix(stored, plainForm); ok {
		return base64.RawURLEncoding.DecodeString(text)
	}
	rest, ok := strings.CutPrefix(stored, sealedForm)
	kid, text, found := strings.Cut(rest, ".")
	secret, known := v.ring.named(kid)
	if !ok || !found || !known {
		return nil, errSealed
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errSealed
	}
	aead, err := signingKey{kid, secret}.aead()
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, []byte(purpose))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// form is how stored secrets begin now.
func (v *Vault) form() string {
	if !v.ring.given {
		return plainForm
	}
	return sealedForm + v.ring.signing().kid + "."
}

// sealed are the columns that hold sealed secrets: the row's key, and the purpose, as SQL. A table that is left out keeps the
// old key in use for ever; a test looks for columns that are not here.
var sealed = []struct{ table, key, column, purpose string }{
	{"webhooks", "id", "secret", "'webhook ' || url"},
	{"totps", "user_id", "secret", "'totp user:' || user_id"},
	{"totps", "user_id", "pending", "'totp user:' || user_id"},
	{"vapid_keys", "id", "private_key", "'vapid'"},
	{"api_keys", "id", "hook_secret", "'hook key:' || id"},
}

// Reseal seals anew what lies there under an older key, or in the open, so that the older key can be let go. Nodes that do
// it at once do not get in each other's way. What cannot be opened is told to the log and left.
func (v *Vault) Reseal(ctx context.Context, db *Database, log *slog.Logger) error {
	for _, of := range sealed {
		var rows []struct {
			ID              int64
			Purpose, Stored string
		}
		err := db.Write.WithContext(ctx).Raw("SELECT "+of.key+" AS id, "+of.purpose+" AS purpose, "+of.column+" AS stored FROM "+of.table+
			" WHERE "+of.column+" IS NOT NULL AND "+of.column+" NOT LIKE ?", v.form()+"%").Scan(&rows).Error
		if err != nil {
			return err
		}
		for _, row := range rows {
			plain, err := v.Open(row.Purpose, row.Stored)
			if err != nil {
				log.Error("a stored secret cannot be sealed anew", "table", of.table, "row", row.ID, "error", err)
				continue
			}
			err = db.Write.WithContext(ctx).Exec("UPDATE "+of.table+" SET "+of.column+" = ? WHERE "+of.key+" = ? AND "+of.column+" = ?",
				v.Seal(row.Purpose, plain), row.ID, row.Stored).Error
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// aead draws its nonces at random and puts them before the text: 2³² secrets of one key are safe (NIST SP 800-38D §8.3).
func (k signingKey) aead() (cipher.AEAD, error) {
	key, err := k.sealing()
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
