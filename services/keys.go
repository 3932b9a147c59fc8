package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
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
	vault   *Vault
	cache   *cache[string, *models.Key] // by hash; what lies in it is not changed

	quotas *quotas

	mu    sync.Mutex
	noted map[int64]time.Time // when this node last wrote down that a key was used; as many as there are keys
}

// NewKeys makes the service.
func NewKeys(db *Database, j *journal.Journal, v *Vault) *Keys {
	k := &Keys{db: db, journal: j, vault: v, cache: newCache[string, *models.Key](), noted: map[int64]time.Time{},
		quotas: &quotas{now: time.Now, buckets: map[int64]bucket{}}}
	j.Observe(func(e *journal.Entry) {
		if e.Kind == kindKeyRevoked || e.Kind == kindKeyChanged {
			k.cache.forgetWhere(func(key *models.Key) bool { return keyAudience(key.ID) == e.Audiences[0] })
		}
		if e.Kind == kindKeyRevoked {
			k.forget(e.Audiences[0])
		}
	}, k.cache.clear)
	return k
}

// forget drops what is counted of a key that was revoked, or it would stay until this node ends.
func (k *Keys) forget(audience string) {
	id, err := strconv.ParseInt(strings.TrimPrefix(audience, keyAudiencePrefix), 10, 64)
	if err != nil {
		return
	}
	k.quotas.forget(id)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.noted, id)
}

// KeySpec is what it takes to make a key.
type KeySpec struct {
	Name    string
	Scopes  []models.Scope
	Expires *models.Instant // nil = never
	To      Target          // for whom its notices are that come without recipients; empty = nobody
	Rate    string          // see models.RateRule; empty = no limit

	Category string // of its notices that name none; empty = none

	Hook    models.Hook     // whose calls are signed for it; empty = nobody's
	Mapping *models.Mapping // how its calls are read as notices; nil = not at all
}

// Create makes a key and gives its secret, the only time it can be seen. It has 256 bits of
// randomness, so a plain hash of it is enough.
func (k *Keys) Create(ctx context.Context, spec KeySpec) (*models.Key, string, error) {
	made, err := k.CreateOnce(ctx, nil, spec, Repeatable{})
	return &made.Key, made.Secret, err
}

// CreateOnce is Create for a request that may come twice. Its secret is worked out from the request
// and the signing key, so that the same request is given the same secret though only a hash is kept. Where
// once is empty t may be nil.
func (k *Keys) CreateOnce(ctx context.Context, t *Tokens, spec KeySpec, once Repeatable) (NewKey, error) {
	secret := keyPrefix + randomText(32)
	if once.Key != "" {
		secret = keyPrefix + t.ring.derive("api key", once.Principal, once.Key, once.Digest)
	}
	return k.create(ctx, spec, secret, once)
}

// NewKey is a key with its secrets.
type NewKey struct {
	models.Key
	Secret     string
	HookSecret string // empty = it has no hook
	Replayed   bool
}

var errNotShownAgain = models.Errorf(models.CodeConflict, "What this request made cannot be shown again.")

func (k *Keys) create(ctx context.Context, spec KeySpec, secret string, once Repeatable) (NewKey, error) {
	var before int64 // what the same request made; when that was to end may have passed since
	if once.Key != "" {
		var err error
		if before, err = k.db.madeBy(ctx, once); err != nil {
			return NewKey{}, err
		}
	}
	row, err := spec.row(before != 0)
	if err != nil {
		return NewKey{}, err
	}
	made := NewKey{Secret: secret}
	id, replayed, err := k.db.createOnce(ctx, once, func(tx *gorm.DB) (id int64, err error) {
		if err := knownTarget(tx, spec.To); err != nil {
			return 0, err
		}
		err = tx.Raw(`INSERT INTO api_keys (name, hash, scopes, created_at, expires_at, deliver_to, rate, category, hook, mapping) VALUES (?, ?, ?, `+k.db.now()+`, ?, ?, ?, ?, ?, ?) RETURNING id`,
			row.Name, hashOf(secret), row.ScopeList, row.ExpiresAt, row.DeliverTo, row.RateText, row.Category, row.Hook, row.MappingText).Scan(&id).Error
		if err == nil && row.Hook != "" {
			err = k.giveHookSecret(tx, id)
		}
		if err != nil {
			return 0, err
		}
		return id, k.db.record(tx, Act{Action: "key.created", Key: spec.Name, Detail: map[string]any{"id": id, "scopes": strings.Fields(row.ScopeList)}})
	})
	if isDuplicate(err) { // it was made more than a day ago, and the same request is given the same secret
		return NewKey{}, errNotShownAgain
	}
	if err != nil {
		return NewKey{}, err
	}
	made.Replayed = replayed
	err = k.db.Write.WithContext(ctx).Take(&made.Key, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || (err == nil && !bytes.Equal(made.Hash, hashOf(secret))) {
		return NewKey{}, errNotShownAgain
	}
	if replayed { // as it was made then: it may have been used since, and its recipients renamed
		made.LastUsedAt, made.DeliverTo = nil, row.DeliverTo
	}
	if err == nil && made.Hook != "" {
		var plain []byte
		plain, err = k.openHookSecret(&made.Key)
		made.HookSecret = string(plain)
	}
	return made, err
}

// row is how a key is stored.
func (s *KeySpec) row(again bool) (row models.Key, err error) {
	if row.ScopeList, err = s.check(again); err != nil {
		return row, err
	}
	row.Name, row.ExpiresAt, row.RateText, row.Category, row.Hook = s.Name, s.Expires, s.Rate, s.Category, s.Hook
	if s.Mapping != nil {
		text, err := json.Marshal(s.Mapping)
		if err != nil {
			return row, err
		}
		row.MappingText = string(text)
	}
	row.DeliverTo, err = s.target()
	return row, err
}

// target is how the recipients are stored.
func (s *KeySpec) target() (string, error) {
	if s.To.Empty() {
		return "", nil
	}
	text, err := json.Marshal(s.To)
	return string(text), err
}

func (s *KeySpec) check(again bool) (list string, err error) {
	var faults []models.FieldError
	if n := utf8.RuneCountInString(strings.TrimSpace(s.Name)); n < 1 || n > models.MaxDisplayName {
		faults = append(faults, models.FieldError{Field: "name", Detail: "1 to 100 characters."})
	}
	var names []string
	for _, scope := range s.Scopes {
		if !slices.Contains(models.Scopes, scope) {
			faults = append(faults, models.FieldError{Field: "scopes", Detail: "Each one of notices:write, tasks:write, sessions:write, users:write, tickets:write."})
			break
		}
		if !slices.Contains(names, string(scope)) {
			names = append(names, string(scope))
		}
	}
	if len(s.Scopes) == 0 {
		faults = append(faults, models.FieldError{Field: "scopes", Detail: "At least one."})
	}
	if len(s.To.Users)+len(s.To.Groups) > models.MaxUserTargets {
		faults = append(faults, models.FieldError{Field: "to", Detail: fmt.Sprintf("At most %d names.", models.MaxUserTargets)})
	}
	if _, ok := models.ParseRate(s.Rate); !ok {
		faults = append(faults, models.FieldError{Field: "rate", Detail: models.RateRule})
	}
	if utf8.RuneCountInString(s.Category) > models.MaxCategory {
		faults = append(faults, models.FieldError{Field: "category", Detail: fmt.Sprintf("At most %d characters.", models.MaxCategory)})
	}
	if s.Expires != nil && !again && !s.Expires.Time().After(time.Now()) {
		faults = append(faults, models.FieldError{Field: "expires_at", Detail: "A time to come."})
	}
	faults = append(faults, s.hookFaults()...)
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
		var names []string
		err := tx.Raw("UPDATE api_keys SET revoked_at = "+k.db.now()+" WHERE id = ? AND revoked_at IS NULL RETURNING name", id).Scan(&names).Error
		if err == nil && len(names) == 0 {
			err = models.ErrNotFound
		}
		if err == nil {
			err = k.db.record(tx, Act{Action: "key.revoked", Key: names[0], Detail: map[string]any{"id": id}})
		}
		return []journal.Draft{{Kind: kindKeyRevoked, Audiences: []string{keyAudience(id)}, Payload: []byte("{}")}}, err
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
		k.noteUse(ctx, key.ID)
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
	k.noteUse(ctx, key.ID)
	return key, nil
}

// The bounds of writing down when a key was last used.
const (
	useEvery   = time.Minute // at most one write in this time, whatever the number of nodes
	useTimeout = time.Second
)

// noteUse writes down that a key is in use. A request does not fail by it, nor does it wait for long: what is shown of the
// key is then a minute older.
func (k *Keys) noteUse(ctx context.Context, id int64) {
	k.mu.Lock()
	due := time.Since(k.noted[id]) >= useEvery
	if due {
		k.noted[id] = time.Now()
	}
	k.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), useTimeout)
	defer cancel()
	now := k.db.now()
	_ = k.db.Write.WithContext(ctx).Exec("UPDATE api_keys SET last_used_at = "+now+" WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= "+now+" - ?)",
		id, useEvery.Milliseconds())
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
