package services

import "sync"

// lanes are what receivers are sent to by: each has one of its own on this node, so that one that hangs delays no other.
type lanes[K comparable] struct {
	mu   sync.Mutex
	busy map[K]bool // those under way; true = look again before leaving
}

func newLanes[K comparable]() lanes[K] { return lanes[K]{busy: map[K]bool{}} }

// enter begins a lane; false where one is under way, which then looks once more before it ends.
func (l *lanes[K]) enter(to K) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, busy := l.busy[to]
	l.busy[to] = busy
	return !busy
}

// leave ends a lane, unless something may have fallen due meanwhile.
func (l *lanes[K]) leave(to K) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[to] {
		l.busy[to] = false
		return false
	}
	delete(l.busy, to)
	return true
}
