// Package announce tells nodes that the log grew. What it says is a hint and no more: it may be
// lost, doubled or late, and only latency suffers.
package announce

import "belfry/services/journal"

// Local is the hint within one process.
type Local struct{ hints chan struct{} }

// NewLocal makes a hint for a single node.
func NewLocal() *Local { return &Local{hints: make(chan struct{}, 1)} }

// Announce wakes this node's tail.
func (l *Local) Announce(string, []journal.Entry) { l.hint() }

// hint wakes this node's tail. Hints that nobody took yet become one.
func (l *Local) hint() {
	select {
	case l.hints <- struct{}{}:
	default:
	}
}

// Hints carries a value whenever there may be something new.
func (l *Local) Hints() <-chan struct{} { return l.hints }
