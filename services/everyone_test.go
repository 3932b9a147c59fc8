package services

import (
	"fmt"
	"testing"

	"belfry/models"
)

// TestEveryone: that one of them ends by itself leaves none of the others as they were.
//
// Security: S12
func TestEveryone(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		const many = sessionsAtOnce + 5
		rows := make([]models.Session, many)
		now := got(n.db.clock(t.Context()))(t)
		for i := range rows {
			rows[i] = models.Session{ID: fmt.Sprintf("s%04d", i), UserID: ann.ID, SecretHash: []byte{1}, State: models.SessionActive, CreatedAt: now, LastActiveAt: now}
		}
		must(t, n.db.Write.CreateInBatches(rows, nameChunk/5).Error)
		n.age(t, rows[3].ID, testLimits.Max) // and nobody has noticed yet
		own := rows[many-1].ID
		if count := got(n.sessions.LockEveryone(t.Context(), own))(t); count != many-2 {
			t.Errorf("%d are locked, want %d", count, many-2)
		}
		if left := n.number(t, "SELECT count(*) FROM sessions WHERE state = 'active' AND id NOT IN (?, ?)", rows[3].ID, own); left != 0 {
			t.Errorf("%d are not locked", left)
		}
		must(t, n.sessions.EndEveryone(t.Context(), own))
		if left := n.number(t, "SELECT count(*) FROM sessions WHERE state <> 'ended'"); left != 1 {
			t.Errorf("%d are left, want 1", left)
		}
	})
}
