package journal_test

import (
	"fmt"
	"slices"
	"testing"

	"belfry/services/journal"
)

// FuzzRange: from anywhere to anywhere, in steps of any size, a reader gets what its grants let it see, each entry once
// and in order; also for offsets that are none.
func FuzzRange(f *testing.F) {
	f.Add(int64(0), int64(60), uint8(5), uint8(1), int64(0))
	f.Add(int64(-9), int64(1<<62), uint8(0), uint8(255), int64(20))
	f.Add(int64(59), int64(58), uint8(200), uint8(6), int64(-1))
	n := open(f, sqliteAddress(f))
	names := []string{"everyone", "user:1", "user:10", "group:1", "user:2"}
	const written = 60
	for i := range int64(written) {
		d := draft("", i)
		d.Audiences = audiencesOf(names, i+1)
		n.append(f, d)
	}
	f.Fuzz(func(t *testing.T, after, upTo int64, step, mask uint8, since int64) {
		var grants []journal.Grant
		for i, name := range names {
			if mask&(1<<i) != 0 {
				grants = append(grants, journal.Grant{Audience: name, After: since * int64(i)})
			}
		}
		var want []int64
		for offset := max(after, 0) + 1; offset <= min(upTo, written); offset++ {
			if slices.ContainsFunc(grants, func(g journal.Grant) bool {
				return offset > g.After && slices.Contains(audiencesOf(names, offset), g.Audience)
			}) {
				want = append(want, offset)
			}
		}
		var got []int64
		limit := int(step)%7 + 1
		for at := after; at < upTo; {
			entries, next, err := n.Range(t.Context(), at, upTo, grants, limit)
			must(t, err)
			if next <= at || len(entries) > limit {
				t.Fatalf("a step from %d to %d with %d entries", at, next, len(entries))
			}
			got, at = append(got, offsetsOf(entries)...), next
		}
		if !slices.Equal(got, want) {
			t.Errorf("(%d, %d] for %v in steps of %d: %v, want %v", after, upTo, grants, limit, got, want)
		}
	})
}

// audiencesOf lets each entry have some of the names, and several have more than one.
func audiencesOf(names []string, offset int64) (of []string) {
	for i, name := range names {
		if offset%int64(i+2) == 0 {
			of = append(of, name)
		}
	}
	if len(of) == 0 {
		of = []string{fmt.Sprint("user:", 100+offset)}
	}
	return of
}
