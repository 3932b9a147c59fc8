package hub

import (
	"iter"
	"math"
	"slices"
)

// queue is the frames that wait for one connection. The first has its place in the connection, for most wait alone; more
// than that borrow a slice from the shard.
type queue struct {
	first *Frame
	rest  []*Frame
	bytes int
}

func (q *queue) len() int {
	if q.first == nil {
		return len(q.rest)
	}
	return 1 + len(q.rest)
}

func (q *queue) push(s *shard, f *Frame) {
	q.bytes += f.size()
	if q.first == nil && len(q.rest) == 0 {
		q.first = f
		return
	}
	if q.rest == nil {
		q.rest = s.spare()
	}
	q.rest = append(q.rest, f)
}

// take appends the next frames to a list: up to so many bytes, and at least one if there is any.
func (q *queue) take(s *shard, list []*Frame, bytes int) []*Frame {
	size := 0
	if f := q.first; f != nil {
		list, q.first, size = append(list, f), nil, f.size()
	}
	n := 0
	for n < len(q.rest) && (size == 0 || size+q.rest[n].size() <= bytes) {
		size += q.rest[n].size()
		n++
	}
	list = append(list, q.rest[:n]...)
	q.bytes -= size
	if n == len(q.rest) {
		s.recycle(q.rest)
		q.rest = nil
	} else {
		q.rest = slices.Delete(q.rest, 0, n)
	}
	return list
}

// all is what waits, in order.
func (q *queue) all() iter.Seq[*Frame] {
	return func(yield func(*Frame) bool) {
		if q.first != nil && !yield(q.first) {
			return
		}
		for _, f := range q.rest {
			if !yield(f) {
				return
			}
		}
	}
}

// withdraw takes back what comes from the log, and tells which came first, and how many it was.
func (q *queue) withdraw(s *shard) (first, n int64) {
	var kept queue
	for _, f := range q.take(s, nil, math.MaxInt) {
		if f.Offset == 0 {
			kept.push(s, f)
			continue
		}
		if n++; first == 0 {
			first = f.Offset
		}
	}
	*q = kept
	return first, n
}
