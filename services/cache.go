package services

import "sync"

// cacheLimit is how many rows one cache holds. Beyond it some go, whichever they are; they are read again.
const cacheLimit = 20_000

// cache keeps rows in memory, so that an authorised request costs no query. Whoever changes a row appends
// an entry to the log that tells of it, and the cache forgets the row when this node commits that entry or
// hears of it. So it is never older than what the node has seen of the log.
type cache[K comparable, V any] struct {
	mu   sync.RWMutex
	rows map[K]V
	turn int64 // counts what was forgotten
}

func newCache[K comparable, V any]() *cache[K, V] { return &cache[K, V]{rows: map[K]V{}} }

// get gives a row, and the turn to put it with if it has to be read.
func (c *cache[K, V]) get(key K) (value V, turn int64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	value, ok = c.rows[key]
	return value, c.turn, ok
}

// put remembers a row that was read after the turn. If anything was forgotten since then it does nothing:
// the row may be from before the change.
func (c *cache[K, V]) put(turn int64, key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn {
		return
	}
	for old := range c.rows {
		if len(c.rows) < cacheLimit {
			break
		}
		delete(c.rows, old)
	}
	c.rows[key] = value
}

// change replaces a row that is there.
func (c *cache[K, V]) change(key K, fn func(V) V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, ok := c.rows[key]; ok {
		c.rows[key] = fn(value)
	}
}

// forget makes one row void.
func (c *cache[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rows, key)
	c.turn++
}

// forgetWhere makes void the rows that match.
func (c *cache[K, V]) forgetWhere(match func(V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, value := range c.rows {
		if match(value) {
			delete(c.rows, key)
		}
	}
	c.turn++
}

func (c *cache[K, V]) clear() {
	c.forgetWhere(func(V) bool { return true })
}
