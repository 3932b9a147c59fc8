// Package announce tells nodes that the log grew. What it says is a hint and no more: it may be
// lost, doubled or late, and only latency suffers.
package announce

import (
	"belfry/services/journal"
	"belfry/services/tracing"
)

// Local is the hint within one process.
type Local struct {
	hints   chan struct{}
	growths chan Growth
}

// NewLocal makes a hint for a single node.
func NewLocal() *Local {
	return &Local{hints: make(chan struct{}, 1), growths: make(chan Growth, growthsWaiting)}
}

// Grew tells the other nodes that something has grown. Here there are none.
func (l *Local) Grew(int64, int64) {}

// Growths carries what other nodes say has grown.
func (l *Local) Growths() <-chan Growth { return l.growths }

func (l *Local) heard(g Growth) {
	select {
	case l.growths <- g:
	default:
	}
}

// Announce wakes this node's tail.
func (l *Local) Announce(string, []journal.Entry) { l.hint() }

// Cause knows of no other nodes.
func (l *Local) Cause(int64) *tracing.Cause { return nil }

// hint wakes this node's tail. Hints that nobody took yet become one.
func (l *Local) hint() { ring(l.hints) }

// ring leaves a value in a channel that has room for one, unless one is there.
func ring(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// Hints carries a value whenever there may be something new.
func (l *Local) Hints() <-chan struct{} { return l.hints }
