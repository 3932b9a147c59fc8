package cli

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// TestWasteIsSeen on the runtime's own figures.
func TestWasteIsSeen(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector runs when it is told to
	runtime.GC()
	clean := readMemory()
	if clean.wasteful(clean, clean) {
		t.Errorf("nothing was allocated: %+v", clean)
	}
	var garbage [][]byte
	for range 64 + clean.held>>17 {
		garbage = append(garbage, make([]byte, 1<<18))
	}
	runtime.KeepAlive(garbage)
	full := readMemory()
	if full.wasteful(clean, clean) {
		t.Error("not quiet, but called so")
	}
	if !full.wasteful(full, clean) {
		t.Errorf("quiet, and much was allocated before: %+v, %+v", clean, full)
	}
	if full.wasteful(full, full) {
		t.Errorf("tidied, and nothing was allocated since: %+v", full)
	}
}

func TestRoomFor(t *testing.T) {
	for live, percent := range map[uint64]int{0: 3200, 4 << 20: 800, 32 << 20: 100, 64 << 20: 50, 128 << 20: 50, 1 << 30: 50} {
		if got := roomFor(live, 0, leastRoom); got != percent {
			t.Errorf("%d bytes: %d %%, want %d", live, got, percent)
		}
	}
	if got := roomFor(8<<20, 8<<20, leastRoom); got != 200 { // Go counts stacks and globals like the heap
		t.Errorf("8 MiB and as much of stacks: %d %%", got)
	}
}

// TestLessRoomWhileStreamsCome, and as much as ever when they have come, or go.
func TestLessRoomWhileStreamsCome(t *testing.T) {
	var r room
	for i, step := range []struct {
		goroutines int64
		least      uint64
	}{{40, leastRoom}, {139, leastRoom}, {239, fillingRoom}, {5000, fillingRoom}, {5000, leastRoom}, {30, leastRoom}, {130, fillingRoom}} {
		if got := r.least(step.goroutines); got != step.least {
			t.Errorf("step %d, %d goroutines: %d bytes, want %d", i, step.goroutines, got, step.least)
		}
	}
}

// TestRoomIsKept: the collector's own run sets it.
func TestRoomIsKept(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	ctx, cancel := context.WithCancel(t.Context())
	defer func() {
		cancel()
		debug.SetGCPercent(before)
	}()
	keepRoom(ctx)
	deadline := time.After(20 * time.Second)
	for {
		runtime.GC()
		samples := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(samples)
		if got := samples[0].Value.Uint64(); got != 100 {
			if got < 50 || got > 6400 {
				t.Errorf("%d %%", got)
			}
			return
		}
		select {
		case <-deadline:
			t.Fatal("nothing has set it")
		default:
		}
	}
}
