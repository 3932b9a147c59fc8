package hub

import (
	"cmp"
	"slices"
	"sort"

	"belfry/services/journal"
)

// RecentEntries and recentBytes bound what is kept for those who come back. It is as much as a node begins with: more
// would stay empty after a start, less would be read for nothing.
const (
	RecentEntries = journal.LookBack
	recentBytes   = 32 << 20
)

// recent is the end of the log in memory, encoded. A storm of those who come back after a cut is answered
// from it, at the cost of their own frames and no query.
type recent struct {
	limit int   // of entries
	after int64 // everything later is here
	by    map[string][]*Frame
	order []placed
	bytes int
}

type placed struct {
	frame     *Frame
	audiences []string
}

func newRecent(after int64, limit int) recent {
	return recent{after: after, limit: limit, by: map[string][]*Frame{}}
}

func (r *recent) add(audiences []string, f *Frame) {
	for _, a := range audiences {
		r.by[a] = append(r.by[a], f)
	}
	r.order = append(r.order, placed{f, audiences})
	r.bytes += f.size()
	if len(r.order) > r.limit || r.bytes > recentBytes {
		r.forget((len(r.order) + 1) / 2) // half at once, so that each is moved once on average
	}
}

func (r *recent) forget(n int) {
	for _, p := range r.order[:n] {
		r.after = p.frame.Offset
		r.bytes -= p.frame.size()
		for _, a := range p.audiences {
			if rest := r.by[a][1:]; len(rest) > 0 { // of each audience the oldest comes first
				r.by[a] = rest
			} else {
				delete(r.by, a)
			}
		}
	}
	r.order = slices.Clone(r.order[n:])
	for a, frames := range r.by {
		r.by[a] = slices.Clone(frames) // lets go of the front
	}
}

func (r *recent) void(offset int64, audience string) {
	frames := r.by[audience]
	i := sort.Search(len(frames), func(i int) bool { return frames[i].Offset >= offset })
	if i < len(frames) && frames[i].Offset == offset {
		frames[i].void = true
	}
}

// since gives what one of the grants lets be seen after a position, in order and each once.
func (r *recent) since(pos int64, grants []journal.Grant) []*Frame {
	var found []*Frame
	for _, g := range grants {
		frames, after := r.by[g.Audience], max(pos, g.After)
		found = append(found, frames[sort.Search(len(frames), func(i int) bool { return frames[i].Offset > after }):]...)
	}
	if len(grants) > 1 {
		slices.SortFunc(found, func(a, b *Frame) int { return cmp.Compare(a.Offset, b.Offset) })
		found = slices.Compact(found)
	}
	return found
}
