package services

import (
	"context"
	"sync"
	"time"
)

const (
	// togetherReadings is how many readings of one kind are under way at once. Who has a long inbox counts for long: with one
	// reading at a time all others would wait for that.
	togetherReadings = 4
	// togetherMost is how much one reading takes at most.
	togetherMost = 100
	// togetherSlow is how long one may take. Those of whom too many together are too slow, as inboxes with very much unread are,
	// are read by fewer at once the next time: else all of them would give up waiting, and again when they come back.
	togetherSlow = 500 * time.Millisecond
)

// together reads rows for all who ask at the same time. As long as few do, each reads for itself; beyond that, who comes
// waits for the next reading, which is of all that wait. So a crowd that comes to a node which knows nobody yet, as after a
// restart, costs a hundredth of the readings.
type together[K comparable, V any] struct {
	read func(ctx context.Context, keys ...K) (map[K]V, error) // some keys come twice; what does not exist is left out

	mu       sync.Mutex
	underWay int
	most     int            // how much the next readings take, by how long the last ones took
	waiting  []*joint[K, V] // all but the last one are full
}

// joint is one reading for many.
type joint[K comparable, V any] struct {
	keys  []K
	done  chan struct{}
	found map[K]V
	err   error
}

func newTogether[K comparable, V any](read func(context.Context, ...K) (map[K]V, error)) *together[K, V] {
	return &together[K, V]{read: read, most: togetherMost}
}

// get gives what is read of the key by a reading that begins after the call; ok is whether it exists.
func (t *together[K, V]) get(ctx context.Context, key K) (value V, ok bool, err error) {
	r := t.join(key)
	if r == nil {
		defer t.next()
		return t.alone(ctx, key)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return value, false, ctx.Err()
	}
	if r.err != nil {
		// Together it may have been too much, or one that cannot be read spoils it for all.
		return t.alone(ctx, key)
	}
	value, ok = r.found[key]
	return value, ok, nil
}

func (t *together[K, V]) alone(ctx context.Context, key K) (value V, ok bool, err error) {
	found, err := t.read(ctx, key)
	value, ok = found[key]
	return value, ok, err
}

// join gives the reading to wait for; nil where there is none to wait for.
func (t *together[K, V]) join(key K) *joint[K, V] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.underWay < togetherReadings {
		t.underWay++
		return nil
	}
	last := len(t.waiting) - 1
	if last < 0 || len(t.waiting[last].keys) >= t.most {
		t.waiting = append(t.waiting, &joint[K, V]{done: make(chan struct{})})
		last++
	}
	t.waiting[last].keys = append(t.waiting[last].keys, key)
	return t.waiting[last]
}

// next begins the reading that others wait for, when one is over.
func (t *together[K, V]) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.underWay--
		return
	}
	r := t.waiting[0]
	t.waiting = t.waiting[1:]
	go func() {
		defer t.next()
		defer close(r.done)
		ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
		defer cancel()
		began := time.Now()
		r.found, r.err = t.read(ctx, evenly(r.keys)...)
		t.took(r, time.Since(began))
	}()
}

func (t *together[K, V]) took(r *joint[K, V], long time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.err != nil || long > togetherSlow {
		t.most = max(1, t.most/4)
	} else {
		t.most = min(togetherMost, 2*t.most)
	}
}

// evenly repeats a key until there are as many as a statement is prepared for: each number would else be a statement of its
// own, on each connection.
func evenly[K any](keys []K) []K {
	size := togetherMost
	if len(keys) <= togetherMost/10 {
		size = togetherMost / 10
	}
	for len(keys) < size {
		keys = append(keys, keys[0])
	}
	return keys
}
