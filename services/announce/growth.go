package announce

import (
	"sync"
	"time"
)

// Growth says of something that lies beside the log, and only ever grows, how far it goes.
type Growth struct {
	ID  int64 `json:"id"`
	End int64 `json:"end"`
}

const (
	// growthsWaiting is how many growths may wait to be taken. More are lost, as any hint may be.
	growthsWaiting = 256
	// growthsAtOnce is how many are told at once: with their ends they fit into what PostgreSQL takes, 8,000 bytes.
	growthsAtOnce = 150
	// growthApart is the least time between two tellings: what is written by the line would else cost one a line.
	growthApart = 20 * time.Millisecond
)

// grown is what has grown and was not told yet. Of each only its latest end is kept.
type grown struct {
	mu   *sync.Mutex
	ends map[int64]int64
	set  bool          // the timer is
	wake chan struct{} // there is something to take
}

func newGrown() grown {
	return grown{mu: &sync.Mutex{}, ends: map[int64]int64{}, wake: make(chan struct{}, 1)}
}

func (g *grown) add(id, end int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.ends[id]; !known && len(g.ends) >= growthsWaiting {
		return
	}
	g.ends[id] = max(g.ends[id], end)
	g.rouse()
}

// rouse has what waits taken soon. The caller holds g.mu.
func (g *grown) rouse() {
	if g.set {
		return
	}
	g.set = true
	time.AfterFunc(growthApart, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.set = false
		ring(g.wake)
	})
}

// take gives what waits, as much as can be told at once.
func (g *grown) take() (list []Growth) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, end := range g.ends {
		if len(list) == growthsAtOnce {
			g.rouse()
			break
		}
		list = append(list, Growth{id, end})
		delete(g.ends, id)
	}
	return list
}
