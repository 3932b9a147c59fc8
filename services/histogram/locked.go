package histogram

import "sync"

// Locked is a histogram for several goroutines.
type Locked struct {
	mu sync.Mutex
	h  Histogram
}

// Lock puts a histogram behind a lock. It belongs to the lock from then on.
func Lock(h Histogram) *Locked { return &Locked{h: h} }

// Observe counts a value.
func (l *Locked) Observe(value int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.h.Observe(value)
}

// Clone is the histogram as it stands.
func (l *Locked) Clone() Histogram {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.h.Clone()
}
