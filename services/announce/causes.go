package announce

import (
	"cmp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"belfry/services/journal"
	"belfry/services/tracing"
)

const (
	// causesBytes bounds the causes that go with a hint: PostgreSQL takes 8,000 bytes.
	causesBytes = 7_500
	// causesKept bounds those that are kept until their entries are read. More are lost.
	causesKept = 1_000
	// noPart stands for a part of a cause that there is not. It is in no request's id.
	noPart = "="
)

// causes go beside the hint: ";OFFSET REQUEST PARENT" for each entry of which somebody wants to know.
type causes struct {
	mu    sync.Mutex
	tell  []byte // to the other nodes
	heard map[int64]*tracing.Cause
	some  atomic.Bool // heard holds some
}

func (c *causes) add(entries []journal.Entry) {
	for i := range entries {
		if cause := entries[i].Cause; cause != nil {
			c.addOne(entries[i].Offset, cause)
		}
	}
}

func (c *causes) addOne(offset int64, cause *tracing.Cause) {
	text := ";" + strconv.FormatInt(offset, 10) + " " + cmp.Or(cause.Request, noPart) + " " + cmp.Or(cause.Parent, noPart)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tell)+len(text) <= causesBytes {
		c.tell = append(c.tell, text...)
	}
}

// take gives what is to be told.
func (c *causes) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := string(c.tell)
	c.tell = c.tell[:0]
	return text
}

// hear reads what another node tells behind an offset. A node of another version may say it otherwise, and is not heard.
func (c *causes) hear(payload string) {
	_, list, found := strings.Cut(payload, ";")
	if !found {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for one := range strings.SplitSeq(list, ";") {
		words := strings.Split(one, " ")
		if len(words) != 3 {
			return
		}
		offset, err := strconv.ParseInt(words[0], 10, 64)
		cause := &tracing.Cause{Request: strings.TrimSuffix(words[1], noPart), Parent: strings.TrimSuffix(words[2], noPart)}
		if err != nil || !cause.Valid() || len(c.heard) >= causesKept {
			return
		}
		if c.heard == nil {
			c.heard = map[int64]*tracing.Cause{}
		}
		c.heard[offset] = cause
	}
	c.some.Store(true)
}

// of gives what was heard of an entry, and forgets it together with all before: entries are read in their order.
func (c *causes) of(offset int64) *tracing.Cause {
	if !c.some.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cause := c.heard[offset]
	for known := range c.heard {
		if known <= offset {
			delete(c.heard, known)
		}
	}
	c.some.Store(len(c.heard) > 0)
	return cause
}
