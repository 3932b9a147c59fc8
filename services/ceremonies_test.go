package services

import (
	"sync/atomic"
	"testing"
	"time"

	"belfry/models"
)

// TestCeremony: what was begun is finished once, for its own purpose, in time, on any node.
func TestCeremony(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		anna := n.person(t, "anna")
		begun := ceremony{Purpose: "test.one", UserID: &anna.ID, SessionID: "a session", Data: `{"challenge":"é"}`}
		begin := func() string { return got(n.db.beginCeremony(t.Context(), begun, time.Minute))(t) }

		id := begin()
		_, err := n.db.finishCeremony(t.Context(), id, "test.two", "test.three")
		refused(t, "for another purpose", err, models.CodeNotFound)
		_, err = n.db.finishCeremony(t.Context(), id[1:], "test.one")
		refused(t, "by another id", err, models.CodeNotFound)
		c := got(n.db.finishCeremony(t.Context(), id, "test.two", "test.one"))(t)
		if c.Purpose != begun.Purpose || c.UserID == nil || *c.UserID != anna.ID || c.SessionID != begun.SessionID || c.Data != begun.Data || c.CreatedAt == 0 {
			t.Errorf("it came back as %+v", c)
		}
		_, err = n.db.finishCeremony(t.Context(), id, "test.one")
		refused(t, "a second time", err, models.CodeNotFound)

		id = begin()
		if plain := n.number(t, "SELECT count(*) FROM ceremonies WHERE id_hash = ?", []byte(id)); plain != 0 {
			t.Error("the id is stored as it is")
		}
		n.run(t, "UPDATE ceremonies SET expires_at = expires_at - ?", time.Minute.Milliseconds())
		_, err = n.db.finishCeremony(t.Context(), id, "test.one")
		refused(t, "once expired", err, models.CodeNotFound)

		kept := begin()
		must(t, n.house.purge(t.Context()))
		if left := n.number(t, "SELECT count(*) FROM ceremonies"); left != 1 {
			t.Errorf("%d ceremonies after housekeeping, want the one that has not expired", left)
		}
		must(t, n.users.Delete(t.Context(), "anna"))
		_, err = n.db.finishCeremony(t.Context(), kept, "test.one")
		refused(t, "of somebody who is gone", err, models.CodeNotFound)
	})
}

// TestCeremonyRace: of many that finish one ceremony exactly one gets it.
func TestCeremonyRace(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		id := got(n.db.beginCeremony(t.Context(), ceremony{Purpose: "test"}, time.Minute))(t)
		var won atomic.Int32
		atOnce(8, func(int) {
			switch _, err := n.db.finishCeremony(t.Context(), id, "test"); {
			case err == nil:
				won.Add(1)
			case models.CodeOf(err) != models.CodeNotFound:
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d of 8 finished it", won.Load())
		}
	})
}
