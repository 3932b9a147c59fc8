package services

import (
	"log/slog"
	"testing"

	"belfry/services/tracing"
)

// TestFiguresAreForWhoMaySeeThem: none go out while the session is locked, though the stream was not told of it yet; those that
// were not written when it was are taken back; and nobody reports to who has left.
//
// Security: S10
func TestFiguresAreForWhoMaySeeThem(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.admin(t, "root")
		l, cookie := n.signIn(t, "root")
		nodes := NewNodes(n.db, n.journal, n.Streams, "here", "test", tracing.NewLevel(slog.LevelWarn), slog.New(slog.DiscardHandler))
		st := got(n.OpenStats(t.Context(), nodes, cookie, nil))(t).Stream
		at := func() int64 { pos, _ := st.conn.Position(); return pos }
		step := func(what string, news bool) {
			t.Helper()
			before := at()
			must(t, st.pull.step(t.Context(), st))
			if (at() > before) != news {
				t.Errorf("%s: from %d to %d", what, before, at())
			}
		}
		must(t, nodes.beat(t.Context()))
		step("what there is", true)
		step("nothing new", false)
		must(t, nodes.beat(t.Context()))
		n.run(t, "UPDATE sessions SET state = 'locked', reason = 'manual'")
		step("locked", false)
		n.run(t, "UPDATE sessions SET state = 'active', reason = NULL")
		st.conn.Nudge() // as the entry of that does
		step("unlocked", true)
		got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		eventually(t, "figures that were not written are taken back", func() bool { return at() == 0 })
		st.forget()
		if len(nodes.watchers) != 0 {
			t.Error("who has left is still reported to")
		}
	})
}
