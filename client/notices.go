package client

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// maxBackoff is the longest wait between two tries that we choose ourselves.
const maxBackoff = 10 * time.Second

// To names who gets a notice. A person reached by several ways gets it once.
type To struct {
	Users    []string `json:"users,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Everyone bool     `json:"everyone,omitempty"`
}

// Action is a button of a notice that leads somewhere.
type Action struct {
	Label string `json:"label"`
	URL   string `json:"url"`
}

// Notice is what [Client.Publish] sends. To and Title are needed, the rest may stay empty.
type Notice struct {
	To          To              `json:"to"`
	Title       string          `json:"title"`
	Body        string          `json:"body,omitempty"`
	Format      string          `json:"format,omitempty"` // text (the default) or markdown
	URL         string          `json:"url,omitempty"`
	Actions     []Action        `json:"actions,omitempty"`
	Severity    string          `json:"severity,omitempty"` // info (the default), success, warning or critical
	Category    string          `json:"category,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
	CollapseKey string          `json:"collapse_key,omitempty"`
	ExpiresAt   *time.Time      `json:"expires_at,omitempty"`
	DeliverAt   *time.Time      `json:"deliver_at,omitempty"`

	// IdempotencyKey tells two notices apart that say the same, and a second try from a second notice.
	// When empty, each call of Publish gets one of its own.
	IdempotencyKey string `json:"-"`
}

// Published says what became of a notice.
type Published struct {
	ID     int64  `json:"id"`
	Cursor string `json:"cursor"` // its place in the log; empty while it is scheduled
}

// Publish returns when the notice is durable. It tries again when the server cannot be reached, is busy
// or is away, and the idempotency key keeps a try whose answer was lost from becoming a second notice.
// The error of the last try is returned. It needs the scope notices:write.
func (c *Client) Publish(ctx context.Context, n Notice) (*Published, error) {
	if n.IdempotencyKey == "" {
		n.IdempotencyKey = cryptorand.Text()
	}
	path, err := apiPath("notices")
	if err != nil {
		return nil, err
	}
	header := http.Header{"Idempotency-Key": {n.IdempotencyKey}}
	var published Published
	if err := c.persist(ctx, func() error { return c.call(ctx, http.MethodPost, path, header, n, &published) }); err != nil {
		return nil, err
	}
	return &published, nil
}

// persist makes a call that may be made twice, until it is answered, refused, or has been tried often enough.
func (c *Client) persist(ctx context.Context, call func() error) error {
	for try := 1; ; try++ {
		err := call()
		if err == nil || try >= c.attempts || ctx.Err() != nil || !Temporary(err) {
			return err
		}
		if !sleep(ctx, c.wait(try, err)) {
			return err // says more than that the time was up
		}
	}
}

// Temporary reports whether the same call may succeed later: the server could not be reached, is busy or away, or its
// answer was lost.
func Temporary(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		_, unreached := errors.AsType[*url.Error](err)
		return unreached || errors.Is(err, errBroken)
	}
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// wait is a random part of a growing time, so that many clients do not come back at once, after what
// the server asked for.
func (c *Client) wait(try int, err error) time.Duration {
	most := min(c.backoff<<min(try-1, 10), maxBackoff)
	wait := rand.N(most + 1) //nolint:gosec // a jitter is no secret
	if p, ok := errors.AsType[*Problem](err); ok {
		wait += p.RetryAfter
	}
	return wait
}

// sleep reports whether the context lived through the wait. It does not begin one that it cannot end.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
