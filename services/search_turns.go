package services

import (
	"context"
	"sync"
)

// searchShare is of how many connections searches have one at most. Each may hold its own for seconds, and those who sign in,
// open a stream or publish want one at once.
const searchShare = 2

// turns lets a few search at once, and one person one at a time: else whoever asks for much would have all turns of the others.
type turns struct {
	all chan struct{}

	mu sync.Mutex
	of map[int64]*turn // those who search, or wait to
}

type turn struct {
	taken chan struct{}
	users int // who search by it, or wait to
}

func newTurns(atOnce int) *turns {
	return &turns{all: make(chan struct{}, atOnce), of: map[int64]*turn{}}
}

// take waits for the person's turn, before a connection is taken. done gives it back.
func (t *turns) take(ctx context.Context, user int64) (done func(), err error) {
	own := t.join(user)
	if err := enter(ctx, own.taken); err != nil {
		t.leave(user, own)
		return nil, err
	}
	if err := enter(ctx, t.all); err != nil {
		<-own.taken
		t.leave(user, own)
		return nil, err
	}
	return func() { <-t.all; <-own.taken; t.leave(user, own) }, nil
}

func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turns) join(user int64) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.of[user]
	if own == nil {
		own = &turn{taken: make(chan struct{}, 1)}
		t.of[user] = own
	}
	own.users++
	return own
}

func (t *turns) leave(user int64, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(t.of, user)
	}
}
