package cli

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// leastRoom is how much may be allocated between two runs of the collector even where little lives, in bytes: a node that
// publishes to few would else spend its time on collecting a few megabytes again and again.
const leastRoom = 32 << 20

// While streams come there is less room: what they keep lies between what was garbage when they opened, and the gaps that it
// leaves are not given back. With leastRoom 5,000 streams that nobody knew took 0.7 KiB more each.
const (
	fillingRoom = 8 << 20 // bytes
	filling     = 100     // goroutines more than there were a collection before
)

// roomFor is GOGC for a heap of which so many bytes live, and so many bytes of stacks and globals: half of the heap, where
// that is more than the least. Twice as much, as Go has it by itself, is memory that idle streams do not need.
func roomFor(live, roots, least uint64) (percent int) {
	live = max(live, 1<<20)
	return int(100 * max(live/2, least) / (live + roots)) //nolint:gosec // at most 3,200
}

// keepRoom sets GOGC after each collection by what that left alive, until ctx ends. Who sets GOGC has the say.
func keepRoom(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	set := &room{}
	set.watch(ctx)
}

type room struct{ percent, goroutines atomic.Int64 }

// watch is told by the collector: it finds a sentinel that nobody holds, in each of its runs.
func (r *room) watch(ctx context.Context) {
	sentinel := new([16]byte)
	runtime.AddCleanup(sentinel, func(r *room) {
		if ctx.Err() != nil {
			return
		}
		found := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
		metrics.Read(found)
		percent := int64(roomFor(found[0].Value.Uint64(), found[1].Value.Uint64()+found[2].Value.Uint64(), r.least(int64(runtime.NumGoroutine()))))
		// Setting it stops the world for a moment.
		if was := r.percent.Load(); percent*10 < was*9 || percent*10 > was*11 {
			r.percent.Store(percent)
			debug.SetGCPercent(int(percent))
		}
		r.watch(ctx)
	}, r)
}

// least is the least room that there is to be with so many goroutines: each stream has one.
func (r *room) least(goroutines int64) uint64 {
	if was := r.goroutines.Swap(goroutines); goroutines-was >= filling {
		return fillingRoom
	}
	return leastRoom
}

// When garbage is given back. The collector runs again when the heap has doubled, or after two minutes; a node to which
// many streams have come, and then nothing, would keep as much garbage as it has streams that long.
const (
	memoryEvery = 5 * time.Second
	quietBytes  = 8 << 20 // allocated meanwhile: less is quiet, though there be ten thousand heartbeats
	leastWaste  = 4 << 20 // that may be garbage: less is not worth the collector's time
)

// memory is what the runtime says of the heap, in bytes.
type memory struct{ allocated, held uint64 }

func readMemory() memory {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	return memory{samples[0].Value.Uint64(), samples[1].Value.Uint64()}
}

// wasteful reports whether it has been quiet since one reading, and much may have become garbage since another.
func (m memory) wasteful(before, tidied memory) bool {
	return m.allocated-before.allocated < quietBytes && m.allocated-tidied.allocated > max(leastWaste, m.held/8)
}

// tidyMemory gives garbage back to the system when the node is quiet, until ctx ends.
func tidyMemory(ctx context.Context) {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	var tidied memory
	for before := readMemory(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := readMemory()
		if now.wasteful(before, tidied) {
			debug.FreeOSMemory()
			tidied = now
		}
		before = now
	}
}
