package services

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// keyPrefix lets people, and scanners for leaked secrets, tell a key by its looks.
const keyPrefix = "bfk_"

// kindKeyRevoked is the entry that ends the streams a key's tickets opened.
const kindKeyRevoked = "key_revoked"

// Keys keeps the API keys of other systems.
type Keys struct {
	db      *Database
	journal *journal.Journal
	cache   *cache[string, *models.Key] // by hash; what lies in it is not changed
}

// NewKeys makes the service.
func NewKeys(db *Database, j *journal.Journal) *Keys {
	k := &Keys{db: db, journal: j, cache: newCache[string, *models.Key]()}
	j.Observe(func(e *journal.Entry) {
		if e.Kind == kindKeyRevoked {
			k.cache.forgetWhere(func(key *models.Key) bool { return keyAudience(key.ID) == e.Audiences[0] })
		}
	}, k.cache.clear)
	return k
}

// Create makes a key and gives its secret, the only time it can be seen. It has 256 bits of
// randomness, so a plain hash of it is enough.
func (k *Keys) Create(ctx context.Context, name string, scopes []models.Scope, expires *models.Instant) (*models.Key, string, error) {
	secret := keyPrefix + randomText(32)
	key, _, err := k.create(ctx, name, scopes, expires, secret, Repeatable{})
	return key, secret, err
}

// CreateOnce is Create for a request that may come twice. Its secret is worked out from the request
// and the signing key, so that the same request is given the same secret though only a hash is kept.
func (k *Keys) CreateOnce(ctx context.Context, t *Tokens, name string, scopes []models.Scope, expires *models.Instant, once Repeatable) (NewKey, error) {
	secret := keyPrefix + randomText(32)
	if once.Key != "" {
		secret = keyPrefix + t.derive("api key", once.Principal, once.Key, once.Digest)
	}
	key, replayed, err := k.create(ctx, name, scopes, expires, secret, once)
	if err != nil {
		return NewKey{}, err
	}
	return NewKey{Key: *key, Secret: secret, Replayed: replayed}, nil
}

// NewKey is a key with its secret.
type NewKey struct {
	models.Key
	Secret   string
	Replayed bool
}

func (k *Keys) create(ctx context.Context, name string, scopes []models.Scope, expires *models.Instant, secret string, once Repeatable) (*models.Key, bool, error) {
	list, err := checkKey(name, scopes)
	if err != nil {
		return nil, false, err
	}
	id, replayed, err := k.db.createOnce(ctx, once, func(tx *gorm.DB) (id int64, err error) {
		err = tx.Raw(`INSERT INTO api_keys (name, hash, scopes, created_at, expires_at) VALUES (?, ?, ?, `+k.db.now()+`, ?) RETURNING id`,
			name, hashOf(secret), list, expires).Scan(&id).Error
		return id, err
	})
	if err != nil {
		return nil, false, err
	}
	var key models.Key
	err = k.db.Write.WithContext(ctx).Take(&key, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || (err == nil && !bytes.Equal(key.Hash, hashOf(secret))) {
		return nil, false, models.Errorf(models.CodeConflict, "What this request made cannot be shown again.")
	}
	return &key, replayed, err
}

func checkKey(name string, scopes []models.Scope) (list string, err error) {
	var faults []models.FieldError
	if n := utf8.RuneCountInString(strings.TrimSpace(name)); n < 1 || n > models.MaxDisplayName {
		faults = append(faults, models.FieldError{Field: "name", Detail: "1 to 100 characters."})
	}
	var names []string
	for _, s := range scopes {
		if !slices.Contains(models.Scopes, s) {
			faults = append(faults, models.FieldError{Field: "scopes", Detail: "Each one of notices:write, tasks:write, sessions:write, users:write, tickets:write."})
			break
		}
		if !slices.Contains(names, string(s)) {
			names = append(names, string(s))
		}
	}
	if len(scopes) == 0 {
		faults = append(faults, models.FieldError{Field: "scopes", Detail: "At least one."})
	}
	return strings.Join(names, " "), refuse(faults)
}

// List gives the keys that were not revoked, oldest first.
func (k *Keys) List(ctx context.Context) (keys []models.Key, err error) {
	err = k.db.Write.WithContext(ctx).Where("revoked_at IS NULL").Order("id").Find(&keys).Error
	return keys, err
}

// Revoke makes a key useless at once and ends the streams that its tickets opened.
func (k *Keys) Revoke(ctx context.Context, id int64) error {
	_, err := k.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		done := tx.Exec("UPDATE api_keys SET revoked_at = "+k.db.now()+" WHERE id = ? AND revoked_at IS NULL", id)
		if done.Error == nil && done.RowsAffected == 0 {
			return nil, models.ErrNotFound
		}
		return []journal.Draft{{Kind: kindKeyRevoked, Audiences: []string{keyAudience(id)}, Payload: []byte("{}")}}, done.Error
	})
	return err
}

// Resolve tells whose key this is. The hash is what is looked up, so nothing of the secret is
// compared byte by byte.
func (k *Keys) Resolve(ctx context.Context, secret string) (*models.Key, error) {
	if !strings.HasPrefix(secret, keyPrefix) {
		return nil, errBadCredential
	}
	hash := hashOf(secret)
	now, fresh := k.journal.Fresh()
	key, turn, known := k.cache.get(string(hash))
	if known && fresh {
		if key.ExpiresAt != nil && *key.ExpiresAt <= models.Instant(now) {
			return nil, errBadCredential
		}
		return key, nil
	}
	key = &models.Key{}
	err := k.db.Read.WithContext(ctx).Where("hash = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > "+k.db.now()+")", hash).Take(key).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errBadCredential
	}
	if err != nil {
		return nil, err
	}
	k.cache.put(turn, string(hash), key)
	return key, nil
}

var errBadCredential = models.Errorf(models.CodeUnauthenticated, "The credential is not valid.")

// TicketFor mints a stream ticket for a user, for the server of a host application. It is bound to
// the user and the key.
func (k *Keys) TicketFor(ctx context.Context, t *Tokens, key *models.Key, username string) (Minted, error) {
	var row struct {
		ID    int64
		NowMs models.Instant
	}
	err := k.db.Read.WithContext(ctx).Raw("SELECT id, "+k.db.now()+" AS now_ms FROM users WHERE lower(username) = lower(?) AND disabled_at IS NULL", username).Scan(&row).Error
	if err == nil && row.ID == 0 {
		err = models.ErrNotFound
	}
	if err != nil {
		return Minted{}, err
	}
	return t.minted(Ticket{UserID: row.ID, KeyID: key.ID}, row.NowMs)
}
