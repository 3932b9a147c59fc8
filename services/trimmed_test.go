package services

import (
	"encoding/json"
	"testing"
	"time"
)

// A position that was good when the stream was opened may be trimmed while the stream is held. That has
// to be said: nothing in between comes any more.
func TestTrimmedWhileHeld(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		system := n.system(t)
		l, cookie := n.signIn(t, "ann")
		to := Target{Users: []string{"ann"}}
		n.publish(t, system, to, titled("gone"))
		locked := got(n.sessions.Lock(t.Context(), l, l.ID))(t)

		other := newNodeOn(t, n) // remembers nothing of what was before it
		open := other.stream(t, StreamRequest{Cookie: cookie, Position: n.journal.Position(0).String()})
		open.hello(t)
		open.lock(t, "locked manual")
		got(n.journal.Trim(t.Context(), time.Now().Add(time.Hour).UnixMilli()))(t)
		_, _, err := n.sessions.Unlock(t.Context(), locked, password)
		must(t, err)
		open.lock(t, "active")
		var reset ResetEvent
		must(t, json.Unmarshal([]byte(open.next(t, "reset").data), &reset))
		if reset.Reason != "trimmed" {
			t.Errorf("%+v", reset)
		}
		n.publish(t, system, to, titled("after"))
		open.notice(t, "after")
	})
}

// TestEndedAndTrimmed: that a session is over is said to who comes back, though the log has forgotten its end.
func TestEndedAndTrimmed(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		seen := n.journal.Position(n.journal.Cursor()).String()
		must(t, n.sessions.Logout(t.Context(), l))
		must(t, n.hub.Await(t.Context(), n.journal.Committed()))
		got(n.journal.Trim(t.Context(), time.Now().Add(time.Hour).UnixMilli()))(t)
		opening := got(n.Open(t.Context(), StreamRequest{Cookie: cookie, Position: seen}))(t)
		events := parseEvents(t, opening.First)
		if opening.NoContent || len(events) != 1 || events[0].name != "lock" {
			t.Fatalf("%+v", opening)
		}
		if again := got(n.Open(t.Context(), StreamRequest{Cookie: cookie, Position: events[0].id}))(t); !again.NoContent {
			t.Errorf("with the id of that: %+v", again)
		}
	})
}
