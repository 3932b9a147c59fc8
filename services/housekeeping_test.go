package services

import (
	"context"
	"sync"
	"testing"
	"time"

	"belfry/models"
)

// TestSessionsAreLockedWhileManyNoticesExpire: a session without streams is locked in its time, however many notices have expired.
func TestSessionsAreLockedWhileManyNoticesExpire(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		n.run(t, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
			INSERT INTO entries (log_offset, kind, subject, audiences, payload, created_at, expires_at)
			SELECT head + i, 'notice', head + i, ?, '{}', `+n.db.now()+", 1 FROM n CROSS JOIN log_head", userAudience(ann.ID))
		n.run(t, "INSERT INTO recipients (audience, log_offset) SELECT audiences, log_offset FROM entries WHERE kind = 'notice'")
		n.run(t, "UPDATE log_head SET head = (SELECT max(log_offset) FROM entries)")
		l, _ := n.signIn(t, "ann")
		n.idle(t, l.ID, testLimits.Idle-2500*time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { n.house.Run(ctx) })
		defer keeping.Wait()
		defer cancel()
		n.eventually(t, "the session is locked", func() bool {
			return n.number(t, "SELECT count(*) FROM sessions WHERE state = ?", models.SessionLocked) == 1
		})
		if waiting := n.number(t, "SELECT count(*) FROM entries WHERE kind = 'notice' AND expired_at IS NULL"); waiting == 0 {
			t.Error("it had to wait until all was told")
		}
	})
}
