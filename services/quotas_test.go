package services

import (
	"testing"
	"time"

	"belfry/models"
)

// TestQuota: all of the limit at once, then evenly; what is refused costs nothing.
func TestQuota(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	q := &quotas{now: func() time.Time { return now }, buckets: map[int64]bucket{}}
	rate := models.Rate{Count: 6, Per: time.Minute}
	for i, step := range []struct {
		pass   time.Duration
		n      int
		left   int
		reset  time.Duration
		code   models.Code
		before time.Duration // the wait that is told
	}{
		{0, 4, 2, 40 * time.Second, "", 0},
		{0, 3, 2, 40 * time.Second, models.CodeRateLimited, 10 * time.Second},
		{0, 2, 0, time.Minute, "", 0},
		{0, 1, 0, time.Minute, models.CodeRateLimited, 10 * time.Second},
		{9999 * time.Millisecond, 1, 0, 50001 * time.Millisecond, models.CodeRateLimited, time.Millisecond},
		{time.Millisecond, 1, 0, time.Minute, "", 0},
		{time.Hour, 7, 6, 0, models.CodeTooLarge, 0},
		{0, 6, 0, time.Minute, "", 0},
	} {
		now = now.Add(step.pass)
		got, err := q.spend(7, rate, step.n)
		if got.Limit != 6 || got.Remaining != step.left || (got.Reset-step.reset).Abs() > time.Microsecond {
			t.Errorf("step %d: %+v", i, got)
		}
		if step.code == "" {
			must(t, err)
		} else if refused := refused(t, "spend", err, step.code); (refused.RetryAfter - step.before).Abs() > time.Microsecond {
			t.Errorf("step %d: come again after %v", i, refused.RetryAfter)
		}
	}
	if other, err := q.spend(8, rate, 1); err != nil || other.Remaining != 5 {
		t.Errorf("another key: %+v, %v", other, err)
	}
}

// TestRevokedKeyIsForgotten: nothing is counted of it any more, on a node that only follows the log as well.
func TestRevokedKeyIsForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		other := NewKeys(n.db, n.journal, NewVault(n.tokens.ring))
		for i := range 2 {
			key, secret, err := n.keys.Create(t.Context(), KeySpec{Name: "k", Scopes: []models.Scope{models.ScopeNoticesWrite}, Rate: "5/m"})
			must(t, err)
			for _, keys := range []*Keys{n.keys, other} {
				got(keys.Spend(got(keys.Resolve(t.Context(), secret))(t), 1))(t)
			}
			if i == 1 {
				must(t, n.keys.Revoke(t.Context(), key.ID))
			}
		}
		for _, keys := range []*Keys{n.keys, other} {
			n.eventually(t, "a count and a note of one key alone", func() bool {
				keys.mu.Lock()
				defer keys.mu.Unlock()
				keys.quotas.mu.Lock()
				defer keys.quotas.mu.Unlock()
				return len(keys.quotas.buckets) == 1 && len(keys.noted) == 1
			})
		}
	})
}
