package services

import (
	"net/netip"
	"strconv"
	"sync"
	"time"

	"belfry/models"
)

// addressFactor is how much more an address alone may fail than one account from that address. An
// office behind one address must not be shut out by a colleague who forgot a password.
const addressFactor = 20

// codeSpan is how much longer than others a wrong second factor counts. Of six digits, three of which are right at a time, 10
// tries a minute would have an even chance after 16 days; so it is after five months, and each try is on record.
const codeSpan = 10

// throttleEntries bounds the memory an attacker with many names can take. Full, the buckets that
// have recovered are dropped first, then any.
const throttleEntries = 100_000

// Throttle counts failures in buckets that drain evenly. It counts per node: with n nodes a guesser
// gets n times as many tries.
type Throttle struct {
	mu      sync.Mutex
	rate    models.Rate // of failures
	now     func() time.Time
	buckets map[string]bucket

	refusals counters // by the limit's name
}

type bucket struct {
	level float64 // failures not yet drained
	at    time.Time
	empty time.Time // when they will be
}

// NewThrottle lets through so many failures; now is time.Now outside tests.
func NewThrottle(rate models.Rate, now func() time.Time) *Throttle {
	return &Throttle{rate: rate, now: now, buckets: map[string]bucket{},
		refusals: newCounters(limitAccount, limitAddress, limitSession, limitLogout, limitCode, limitCeremony)}
}

// try is one attempt that is under way: it counts as a failure until it is forgiven.
type try struct {
	throttle *Throttle
	keys     []string
}

// limit is a bucket's name, of its kind and of whom it counts, and how many failures it holds, which drain in a span.
type limit struct {
	kind  string
	key   string
	count int
	per   time.Duration
}

func (l *limit) perSecond() float64 { return float64(l.count) / l.per.Seconds() }

func (l *limit) bucket() string { return l.kind + " " + l.key }

// The kinds of buckets.
const (
	limitAccount  = "account"
	limitAddress  = "address"
	limitSession  = "session"
	limitLogout   = "logout"
	limitCode     = "code"
	limitCeremony = "ceremony"
)

// networkBits are what of an IPv6 address counts: who has one has the 2⁶⁴ beside it as well (RFC 6177).
const networkBits = 64

// network is whom an address counts for. One of IPv4 that is written as one of IPv6 counts as what it is; what is no address is
// left as it is.
func network(address string) string {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if at = at.Unmap(); at.Is4() {
		return at.String()
	}
	return netip.PrefixFrom(at.WithZone(""), networkBits).Masked().Addr().String()
}

// login begins an attempt on an account from an address.
func (t *Throttle) login(account, address string) (*try, error) {
	address = network(address)
	return t.begin(limit{limitAccount, account + " " + address, t.rate.Count, t.rate.Per}, limit{limitAddress, address, t.rate.Count * addressFactor, t.rate.Per})
}

// proof begins an attempt to prove the password within a session.
func (t *Throttle) proof(session string) (*try, error) {
	return t.begin(limit{limitSession, session, t.rate.Count, t.rate.Per})
}

// logout begins a try of a logout token from an address.
func (t *Throttle) logout(address string) (*try, error) {
	return t.begin(limit{limitLogout, network(address), t.rate.Count * addressFactor, t.rate.Per})
}

// address begins an attempt from an address, where no account is named.
func (t *Throttle) address(address string) (*try, error) {
	return t.begin(limit{limitAddress, network(address), t.rate.Count * addressFactor, t.rate.Per})
}

// code begins an attempt to prove the second factor of a person, from wherever.
func (t *Throttle) code(user int64) (*try, error) {
	return t.begin(limit{limitCode, strconv.FormatInt(user, 10), t.rate.Count, t.rate.Per * codeSpan})
}

// ceremony counts one that is begun by a session, or from an address: each is kept until it expires, whoever asked for it.
func (t *Throttle) ceremony(from string) error {
	_, err := t.begin(limit{limitCeremony, network(from), t.rate.Count * addressFactor, t.rate.Per})
	return err
}

// begin counts the attempt before its outcome is known: otherwise a hundred at once would all be let
// through. A full bucket refuses, with the time until one drains.
func (t *Throttle) begin(limits ...limit) (*try, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, l := range limits {
		if b := t.drained(l, now); b.level > float64(l.count)-1 {
			t.refusals.inc(l.kind)
			wait := time.Duration((b.level - float64(l.count) + 1) / l.perSecond() * float64(time.Second))
			return nil, &models.Error{Code: models.CodeRateLimited, Detail: "Too many failed attempts; try again later.", RetryAfter: wait}
		}
	}
	tried := &try{throttle: t}
	for _, l := range limits {
		b := t.drained(l, now)
		b.level++
		b.empty = now.Add(time.Duration(b.level / l.perSecond() * float64(time.Second)))
		t.buckets[l.bucket()] = b
		tried.keys = append(tried.keys, l.bucket())
	}
	if len(t.buckets) > throttleEntries {
		t.sweep(now)
	}
	return tried, nil
}

func (t *Throttle) drained(l limit, now time.Time) bucket {
	b := t.buckets[l.bucket()]
	b.level = max(0, b.level-now.Sub(b.at).Seconds()*l.perSecond())
	b.at = now
	return b
}

func (t *Throttle) sweep(now time.Time) {
	for key, b := range t.buckets {
		if now.After(b.empty) {
			delete(t.buckets, key)
		}
	}
	if len(t.buckets) <= throttleEntries {
		return
	}
	// Still too many: some go at random, a tenth at a time so that not every attempt comes here.
	for key := range t.buckets {
		if len(t.buckets) <= throttleEntries*9/10 {
			return
		}
		delete(t.buckets, key)
	}
}

// forgive takes the attempt back: it succeeded, or was none.
func (a *try) forgive() {
	a.throttle.mu.Lock()
	defer a.throttle.mu.Unlock()
	for _, key := range a.keys {
		if b, ok := a.throttle.buckets[key]; ok {
			b.level = max(0, b.level-1)
			a.throttle.buckets[key] = b
		}
	}
}
