package services

import (
	"context"
	"sync"
	"time"
)

// lateDeadline is a context whose time begins when somebody first has to wait under it. Most who come back are answered from
// memory, and a timer that nobody waits for was a fortieth of what each of them costs.
type lateDeadline struct {
	context.Context // the caller's
	within          time.Duration

	once    sync.Once
	limited context.Context
	cancel  context.CancelFunc
}

func withLateDeadline(ctx context.Context, within time.Duration) *lateDeadline {
	return &lateDeadline{Context: ctx, within: within}
}

func (l *lateDeadline) begun() context.Context {
	l.once.Do(func() { l.limited, l.cancel = context.WithTimeout(l.Context, l.within) })
	return l.limited
}

// end frees the timer, if there is one. Like the function that context.WithTimeout gives, it has to be called.
func (l *lateDeadline) end() {
	l.once.Do(func() { l.limited, l.cancel = l.Context, func() {} }) // nobody has waited
	l.cancel()
}

func (l *lateDeadline) Deadline() (time.Time, bool) { return l.begun().Deadline() }
func (l *lateDeadline) Done() <-chan struct{}       { return l.begun().Done() }
func (l *lateDeadline) Err() error                  { return l.begun().Err() }
