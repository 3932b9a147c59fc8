package services

import (
	"strings"
	"testing"

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
