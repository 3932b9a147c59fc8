package services

import (
	"strings"
	"testing"

	"belfry/models"
	"belfry/services/hub"
)

// taskReader opens a stream of a task's log and gives what reads it, without anybody to serve.
func (n *node) taskReader(t *testing.T, req TaskStreamRequest) *taskReader {
	t.Helper()
	opening, err := n.OpenTask(t.Context(), n.tasks, req)
	must(t, err)
	t.Cleanup(opening.Stream.forget)
	return opening.Stream.pull.(*taskReader)
}

// TestTaskEventsAreShared: whoever is at the same place of a log gets the same event, though the log has grown meanwhile, and
// those who began elsewhere come to the same places. What is kept for that is bounded, and nothing for one who reads alone.
func TestTaskEventsAreShared(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		p := n.runner(t)
		task := n.task(t, p, "ann")
		text := strings.Repeat("漢é a line\n", 20_000)
		end := n.add(t, p, task, 0, text[:100])
		req := TaskStreamRequest{Cookie: cookie, Task: task}
		one := n.taskReader(t, req)
		at := func(r *taskReader, pos int64) (*hub.Frame, int64) {
			t.Helper()
			row, _, err := one.log.look(t.Context())
			must(t, err)
			frame, upTo, err := r.frame(t.Context(), &row, pos)
			must(t, err)
			return frame, upTo
		}
		if at(one, 0); len(one.log.events) != 0 {
			t.Errorf("%d events are kept for nobody else", len(one.log.events))
		}
		other := n.taskReader(t, req)
		req.JSON = true
		exact := n.taskReader(t, req)
		first, upTo := at(one, 0)
		end = n.add(t, p, task, end, text[100:])
		if again, upToAgain := at(other, 0); again != first || upToAgain != upTo {
			t.Error("the second reader has an event of its own")
		}
		if json, _ := at(exact, 0); json == first {
			t.Error("both forms are one")
		}
		row, _, err := one.log.look(t.Context())
		must(t, err)
		made := [8]*hub.Frame{}
		atOnce(len(made), func(i int) { // none has read it, and all wait for the database
			frame, _, err := (&taskReader{log: one.log}).frame(t.Context(), &row, 70_001)
			if made[i] = frame; err != nil {
				t.Error(err)
			}
		})
		for _, frame := range made {
			if frame != made[0] {
				t.Error("an event was put together twice at once")
			}
		}
		for _, r := range []*taskReader{one, exact} {
			met := map[int64]bool{}
			for _, from := range []int64{0, 4, 32<<10 - 3, 50_001, 64<<10 - 2, 64 << 10} {
				for events, pos := 0, from; pos < end; events++ {
					if _, pos = at(r, pos); from == 0 {
						met[pos] = true
					} else if events > 1 && !met[pos] {
						t.Fatalf("who began at %d is at %d", from, pos)
					}
				}
			}
			if len(one.log.events) > taskEvents {
				t.Errorf("%d events are kept", len(one.log.events))
			}
		}
	})
}

// pulled is an open stream of a task's log that nobody serves: its steps are taken by hand.
type pulled struct{ *Stream }

func (n *node) pulled(t *testing.T, req TaskStreamRequest) pulled {
	t.Helper()
	st := got(n.OpenTask(t.Context(), n.tasks, req))(t).Stream
	t.Cleanup(st.forget)
	return pulled{st}
}

func (st pulled) at() int64 { pos, _ := st.conn.Position(); return pos }

// step wants the reader to come to a place by its next step.
func (st pulled) step(t *testing.T, what string, want int64) {
	t.Helper()
	must(t, st.pull.step(t.Context(), st.Stream))
	if st.at() != want {
		t.Errorf("%s: it stands at %d, want %d", what, st.at(), want)
	}
}

// TestLogIsTakenBack: of a locked session nothing is put together, though the stream was not told yet; and what waits to be
// written then is not, and goes out when it is unlocked.
//
// Security: S10
func TestLogIsTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		p := n.runner(t)
		task := n.task(t, p, "ann")
		n.add(t, p, task, 0, "before\nsecret\n")
		st := n.pulled(t, TaskStreamRequest{Cookie: cookie, Task: task, From: 7})
		n.run(t, "UPDATE sessions SET state = 'locked', reason = 'manual'")
		st.step(t, "locked", 7)
		n.run(t, "UPDATE sessions SET state = 'active', reason = NULL")
		st.step(t, "unlocked", 14)
		got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		eventually(t, "what was not written is taken back", func() bool { return st.at() == 7 })
	})
}

// TestReaderSentAway: what a log gets after somebody was sent away is not theirs, though no stream was told of that yet.
func TestReaderSentAway(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		p := n.runner(t)
		view, _, err := n.tasks.Create(t.Context(), p, NewTask{Title: "t", To: Target{Groups: []string{"crew"}}})
		must(t, err)
		n.add(t, p, view.ID, 0, "before\n")
		st := n.pulled(t, TaskStreamRequest{Cookie: cookie, Task: view.ID})
		st.step(t, "a member", 7)
		// Whoever opens it meanwhile may know an older state of it.
		n.tasks.logs.join(&models.Task{ID: view.ID, Bytes: 3, State: models.TaskRunning}, st.conn)
		st.step(t, "nothing new", 7)
		n.add(t, p, view.ID, 7, "still\n")
		st.step(t, "more of it", 13)
		n.deafen()
		must(t, n.groups.Leave(t.Context(), "crew", "ann"))
		n.add(t, p, view.ID, 13, "no more\n")
		st.step(t, "sent away", 13)
	})
}
