package wheel_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"belfry/services/wheel"
)

// TestTimersAreCalledInTime sets, moves and stops timers at random, near and far, and holds each call to its time.
func TestTimersAreCalledInTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { calledInTime(t, seed) })
	}
}

type expected struct {
	timer wheel.Timer
	due   time.Time // zero: not set
	calls int
}

func calledInTime(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	w := wheel.New()
	timers := make([]*expected, 200)
	spans := []time.Duration{time.Millisecond, 100 * time.Millisecond, 10 * time.Second, time.Hour, 30 * 24 * time.Hour, 121 * 24 * time.Hour}
	var mu sync.Mutex // the wheel calls from a goroutine of its own
	upTo := func(n int) time.Duration { return time.Duration(random.Int64N(int64(spans[random.IntN(n)]))) }
	last := false
	set := func(e *expected) {
		after := upTo(len(spans))
		e.due = time.Now().Add(after)
		w.Reset(&e.timer, after)
	}
	for i := range timers {
		e := &expected{}
		e.timer.Call = func() {
			mu.Lock()
			defer mu.Unlock()
			e.calls++
			late := time.Since(e.due)
			if e.due.IsZero() || late < 0 || late >= 2*wheel.Tick {
				t.Errorf("seed %d, timer %d: late by %v, due %v", seed, i, late, e.due)
			}
			e.due = time.Time{}
			if !last {
				set(e) // from within, as what repeats does
			}
		}
		timers[i] = e
	}
	for range 2_000 {
		mu.Lock()
		e := timers[random.IntN(len(timers))]
		switch {
		case random.IntN(3) == 0:
			w.Stop(&e.timer)
			e.due = time.Time{}
		default:
			set(e)
		}
		pause := upTo(4)
		mu.Unlock()
		time.Sleep(pause)
		synctest.Wait()
	}
	mu.Lock()
	last = true
	mu.Unlock()
	time.Sleep(130 * 24 * time.Hour)
	synctest.Wait()
	mu.Lock()
	defer mu.Unlock()
	calls := 0
	for i, e := range timers {
		if calls += e.calls; !e.due.IsZero() {
			t.Errorf("seed %d, timer %d was never called: due %v", seed, i, e.due)
		}
	}
	if calls < 1_000 {
		t.Errorf("seed %d: only %d calls", seed, calls)
	}
}

// TestStopIsFinal: what was taken away is not called.
func TestStopIsFinal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := wheel.New()
		gone, stays := wheel.Timer{Call: func() { t.Error("called after Stop") }}, wheel.Timer{}
		var called atomic.Bool
		stays.Call = func() { called.Store(true) }
		w.Reset(&gone, time.Second)
		w.Reset(&stays, time.Second)
		w.Stop(&gone)
		w.Stop(&gone)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !called.Load() {
			t.Error("the other one in the slot was not called")
		}
	})
}

// BenchmarkReset is what a timer costs among a million others.
func BenchmarkReset(b *testing.B) {
	w := wheel.New()
	timers := make([]wheel.Timer, 1_000_000)
	for i := range timers {
		timers[i].Call = func() {}
		w.Reset(&timers[i], time.Hour+rand.N(time.Hour))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		w.Reset(&timers[i%len(timers)], time.Hour+time.Duration(i)*time.Microsecond)
	}
}
