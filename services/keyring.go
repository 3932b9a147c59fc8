package services

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MinSecret is the least length of a signing key in bytes: that of the hash (RFC 7518 §3.2).
const MinSecret = 32

const kidBytes = 4

// Keyring holds the installation's signing keys by their names. One signs; all verify, so that a key can be replaced
// without signing anybody out. Keys that lie in the database are learnt while the server runs.
type Keyring struct {
	db    *Database    // nil = nothing is stored
	given bool         // by the operator, so that it does not lie beside what it could seal
	fixed []signingKey // those of the settings: where given is true, the first signs
	keys  atomic.Pointer[[]signingKey]

	mu      sync.Mutex
	looked  time.Time       // when the last look at the database began
	next    *keyLook        // the one that is to come; nil = none
	waiting int             // for it
	unknown map[string]bool // names that were looked for in vain
}

type signingKey struct {
	kid    string // its name in the head of a JWT
	secret []byte
}

// keyName is the name of a key, worked out of the key itself.
func keyName(secret []byte) string {
	sum := sha256.Sum256(append([]byte("belfry kid "), secret...))
	return hex.EncodeToString(sum[:kidBytes])
}

// NewKeyring signs with the given key; where none is given, with one made at first start and kept in the database. What
// else verifies are the previous keys, and those of the database that were replaced not long ago.
func NewKeyring(ctx context.Context, db *Database, secret []byte, previous ...[]byte) (*Keyring, error) {
	ring := &Keyring{db: db, given: len(secret) > 0, unknown: map[string]bool{}}
	if ring.given {
		previous = append([][]byte{secret}, previous...)
	}
	for _, key := range previous {
		ring.fixed = append(ring.fixed, signingKey{keyName(key), key})
	}
	if db != nil {
		if err := db.settleSigningKey(ctx, ring.given); err != nil {
			return nil, err
		}
	}
	return ring, ring.load(ctx)
}

// load reads the keys of the database.
func (r *Keyring) load(ctx context.Context) error {
	keys := slices.Clone(r.fixed)
	if r.db != nil {
		stored, err := r.db.signingKeys(ctx)
		if err != nil {
			return err
		}
		if !r.given && len(stored) > 0 {
			keys = slices.Concat(stored[:1], keys, stored[1:])
		} else {
			keys = append(keys, stored...)
		}
	}
	for _, k := range keys {
		if len(k.secret) < MinSecret {
			return errors.New("a signing key is too short")
		}
	}
	if len(keys) == 0 {
		return errors.New("there is no signing key")
	}
	r.keys.Store(&keys)
	return nil
}

// signing is the key that signs.
func (r *Keyring) signing() signingKey { return (*r.keys.Load())[0] }

// named finds the key of a kid. One that is not known may have been made on another node a moment ago.
func (r *Keyring) named(kid any) ([]byte, bool) {
	name, ok := kid.(string)
	if !ok {
		return nil, false
	}
	secret, known := r.find(name)
	if !known && r.db != nil && len(name) == 2*kidBytes && r.learn(name) {
		secret, known = r.find(name)
	}
	return secret, known
}

func (r *Keyring) find(name string) ([]byte, bool) {
	for _, k := range *r.keys.Load() {
		if k.kid == name {
			return k.secret, true
		}
	}
	return nil, false
}

// randomText gives n random bytes as base64url.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it would end the program
	return base64.RawURLEncoding.EncodeToString(b)
}

// derive works out a secret of 256 bits from the signing key, for one purpose and these parts alone.
func (r *Keyring) derive(purpose string, parts ...string) string {
	mac := hmac.New(sha256.New, r.signing().secret)
	for _, part := range append([]string{"belfry", purpose}, parts...) {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // so that no two lists of parts run into one text
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// HintSecret is what nodes of one installation sign their hints to each other with.
func (r *Keyring) HintSecret() []byte { return []byte(r.derive("hint")) }

// sealing is the key of a cipher, worked out of a signing key (RFC 5869).
func (k signingKey) sealing() ([]byte, error) {
	return hkdf.Key(sha256.New, k.secret, nil, "belfry seal", 32)
}
