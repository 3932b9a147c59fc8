package journal

import "testing"

// FuzzTail: entries are told in any order, twice, under another epoch, with holes, and read from the log in between;
// what is handed on is each offset once, in order.
func FuzzTail(f *testing.F) {
	f.Add([]byte{0, 8, 3, 2, 0, 0})
	f.Add([]byte{0, 10, 2, 0, 8, 2, 2, 0, 0})
	f.Add([]byte{0, 10, 1, 2, 0, 0, 0, 9, 1, 2, 0, 0})
	f.Add([]byte{0, 7, 9, 0, 7, 9, 1, 8, 5, 2, 0, 0, 3, 0, 0, 2, 0, 0})
	f.Add([]byte{0, 30, 255, 0, 30, 255, 0, 30, 255, 0, 30, 255, 0, 30, 255, 2, 0, 0, 3, 0, 0})
	f.Fuzz(func(t *testing.T, steps []byte) {
		tail := &tail{}
		tail.start(Head{Epoch: "e", Offset: LookBack + 100})
		handed, known := tail.at(), map[int64]bool{}
		hand := func(entries []Entry) {
			for _, e := range entries {
				if e.Offset != handed+1 || e.Kind != "" {
					t.Fatalf("%+v is handed on after %d", e, handed)
				}
				handed = e.Offset
				tail.moveTo(handed)
			}
		}
		for ; len(steps) >= 3; steps = steps[3:] {
			// From a little behind the cursor to well before it.
			first, many := handed-8+int64(steps[1]), int(steps[2])
			if many > 127 {
				many *= 16 // several of these are too many to wait
			}
			switch steps[0] % 4 {
			case 0:
				offered := stretch(first, many)
				tail.offer("e", offered)
				if len(tail.fresh) == 0 { // they were too many, and are read later
					clear(known)
					break
				}
				for _, e := range offered {
					known[e.Offset] = true
				}
			case 1:
				others := stretch(handed+1, many)
				for i := range others {
					others[i].Kind = "of another log"
				}
				tail.offer("another", others)
			case 2:
				ready, gap := tail.next()
				hand(ready)
				if gap != tail.waiting() || known[handed+1] {
					t.Fatalf("at %d: gap %v before %+v", handed, gap, tail.fresh)
				}
			case 3: // as drain does: only when nothing is ready
				ready, _ := tail.next()
				hand(ready)
				limit := tail.missing()
				if limit < 1 || limit > fetchLimit {
					t.Fatalf("a read of %d entries", limit)
				}
				hand(stretch(tail.at()+1, limit))
			}
			if len(tail.fresh) > waitingLimit {
				t.Fatalf("%d entries wait", len(tail.fresh))
			}
		}
	})
}

func stretch(first int64, many int) []Entry {
	entries := make([]Entry, many)
	for i := range entries {
		entries[i].Offset = first + int64(i)
	}
	return entries
}
