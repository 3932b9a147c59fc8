package services

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"

	"belfry/models"
	"belfry/services/hashing"
)

// Hasher turns passwords into argon2id hashes. Few run at a time: by default each takes 19 MiB and a core for some 20 ms, and half
// of the cores stay free for the streams in a storm of logins.
type Hasher struct {
	apart  *hashing.Process // nil = they are made here
	params argon2id.Params
	slots  chan struct{}
	line   chan struct{} // who hashes or waits for it
	decoy  string        // verified for unknown names, so that they take as long as known ones

	refusals atomic.Int64
}

// hasherLine is how many may wait for each slot: some five seconds' worth. Who came behind them would have given up, or run
// into the request's deadline, before it was their turn, and cost a hash all the same.
const hasherLine = 256

var errHasherFull = &models.Error{Code: models.CodeUnavailable, Detail: "Too many passwords are being checked; try again.", RetryAfter: 5 * time.Second}

// HashCost is what a hash costs (RFC 9106 §3.1).
type HashCost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// DefaultHashCost is what OWASP names first for argon2id.
var DefaultHashCost = HashCost{Memory: 19 << 10, Passes: 2, Lanes: 1}

// NewHasher makes hashes at the given cost; it verifies those of any.
func NewHasher(cost HashCost) *Hasher {
	params := argon2id.Params{Memory: cost.Memory, Iterations: cost.Passes, Parallelism: cost.Lanes, SaltLength: 16, KeyLength: 32}
	slots := max(1, runtime.GOMAXPROCS(0)/2)
	h := &Hasher{params: params, slots: make(chan struct{}, slots), line: make(chan struct{}, slots*hasherLine)}
	h.decoy = decoyOf(&h.params)
	return h
}

// decoyOf is what might be the hash of some password: to make a real one takes as long as a sign-in, at each start.
func decoyOf(params *argon2id.Params) string {
	random := make([]byte, params.SaltLength+params.KeyLength)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, params.Memory, params.Iterations, params.Parallelism,
		text(random[:params.SaltLength]), text(random[params.SaltLength:]))
}

// Apart has hashes made by another process from now on, before the first is asked for.
func (h *Hasher) Apart(p *hashing.Process) { h.apart = p }

// Hash gives the stored form of a password, in the PHC string format.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return h.apart.Create(password, h.params)
}

// Verify reports whether the password is the one behind the hash. An empty hash takes as long as a
// real one and never fits.
func (h *Hasher) Verify(ctx context.Context, password, hash string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	if hash == "" {
		_, err := h.apart.Fits(password, h.decoy)
		return false, err
	}
	return h.apart.Fits(password, hash)
}

// Outdated reports whether a hash was made at another cost than the present one.
func (h *Hasher) Outdated(hash string) bool {
	params, _, _, err := argon2id.DecodeHash(hash)
	return err != nil || params.Memory != h.params.Memory || params.Iterations != h.params.Iterations || params.Parallelism != h.params.Parallelism
}

func (h *Hasher) enter(ctx context.Context) error {
	select {
	case h.line <- struct{}{}:
	default:
		h.refusals.Add(1)
		return errHasherFull
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.line
		return ctx.Err()
	}
}

func (h *Hasher) leave() {
	<-h.slots
	<-h.line
}
