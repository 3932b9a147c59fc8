package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// herd asks a together for keys, and holds each reading up until it is let go.
type herd struct {
	*together[int, string]
	mu    sync.Mutex
	asked [][]int // by reading, in the order in which they began
	goOn  chan error
	got   map[int]string // what each was told: a value, "none", or an error
	wg    sync.WaitGroup
}

func newHerd() *herd {
	c := &herd{goOn: make(chan error), got: map[int]string{}}
	c.together = newTogether(func(ctx context.Context, keys ...int) (map[int]string, error) {
		c.mu.Lock()
		c.asked = append(c.asked, slices.Clone(keys))
		c.mu.Unlock()
		select {
		case err := <-c.goOn:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		found := map[int]string{}
		for _, key := range keys {
			if key >= 0 {
				found[key] = fmt.Sprint("value ", key)
			}
		}
		return found, nil
	})
	return c
}

// come has one ask, and waits until they wait.
func (c *herd) come(ctx context.Context, keys ...int) {
	for _, key := range keys {
		c.wg.Go(func() {
			value, ok, err := c.get(ctx, key)
			if err == nil && !ok {
				value = "none"
			}
			if err != nil {
				value = err.Error()
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.got[key] = value
		})
		synctest.Wait()
	}
}

// finish lets readings go on, one after the other.
func (c *herd) finish(readings ...error) {
	for _, err := range readings {
		c.goOn <- err
		synctest.Wait()
	}
}

func upTo(n int) (keys []int) {
	for i := range n {
		keys = append(keys, i)
	}
	return keys
}

func TestReadTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHerd()
		c.come(t.Context(), upTo(togetherReadings+togetherMost+5)...)
		if len(c.asked) != togetherReadings {
			t.Fatalf("%d readings at once", len(c.asked))
		}
		c.finish(nil, nil) // each makes room for one
		if len(c.asked) != togetherReadings+2 {
			t.Fatalf("%d readings began", len(c.asked))
		}
		crowded, rest := c.asked[togetherReadings], c.asked[togetherReadings+1]
		if len(crowded) != togetherMost || crowded[0] != togetherReadings {
			t.Errorf("the first who waited were read as %v", crowded)
		}
		if len(rest) != togetherMost/10 || len(slices.Compact(slices.Sorted(slices.Values(rest)))) != 5 {
			t.Errorf("the other five were read as %v", rest)
		}
		// Who comes now may want what was written since those readings began.
		c.come(t.Context(), -1)
		c.finish(nil, nil, nil, nil, nil)
		c.wg.Wait()
		if last := c.asked[len(c.asked)-1]; last[0] != -1 {
			t.Errorf("who came late was not read anew: %v", last)
		}
		for key, got := range c.got {
			if want := fmt.Sprint("value ", key); key >= 0 && got != want {
				t.Errorf("%d got %q", key, got)
			}
		}
		if c.got[-1] != "none" || len(c.got) != togetherReadings+togetherMost+6 {
			t.Errorf("who does not exist: %q; %d were answered", c.got[-1], len(c.got))
		}
		if c.underWay != 0 || len(c.waiting) != 0 {
			t.Errorf("%d under way, %d wait", c.underWay, len(c.waiting))
		}
	})
}

// What fails together is tried alone: one who cannot be read, or too many at once, are not everybody's fault.
func TestReadTogetherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHerd()
		c.come(t.Context(), upTo(togetherReadings)...)
		c.come(t.Context(), 7, 8)
		gone, leave := context.WithCancel(t.Context())
		c.come(gone, 9)
		leave()
		synctest.Wait()
		if c.got[9] != context.Canceled.Error() {
			t.Errorf("who left got %q", c.got[9])
		}
		c.finish(nil, nil, nil, nil, errors.New("too much"))
		if alone := c.asked[len(c.asked)-2:]; len(alone[0]) != 1 || len(alone[1]) != 1 {
			t.Fatalf("read again as %v", alone)
		}
		c.finish(nil, errors.New("broken"))
		c.wg.Wait()
		if got := []string{c.got[7], c.got[8]}; !slices.Contains(got, "broken") || !(slices.Contains(got, "value 7") || slices.Contains(got, "value 8")) {
			t.Errorf("they got %q", got)
		}
		if c.underWay != 0 || len(c.waiting) != 0 {
			t.Errorf("%d under way, %d wait", c.underWay, len(c.waiting))
		}
	})
}

// Those who are slow to read together are read by fewer at once, until it is quick again.
func TestReadTogetherSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHerd()
		c.come(t.Context(), upTo(togetherReadings+togetherMost)...)
		c.finish(nil)
		time.Sleep(2 * togetherSlow)
		c.finish(nil, nil, nil, nil)
		if c.most != togetherMost/4 {
			t.Fatalf("%d at once after a slow one", c.most)
		}
		for left := 3; left > 0; left-- {
			c.come(t.Context(), upTo(togetherReadings+togetherMost)...)
			c.finish(slices.Repeat([]error{nil}, togetherReadings)...)
			for c.underWay > 0 {
				c.finish(nil)
			}
		}
		c.wg.Wait()
		if c.most != togetherMost {
			t.Errorf("%d at once after quick ones", c.most)
		}
		if len(slices.Compact(slices.Sorted(slices.Values(c.asked[togetherReadings+1+togetherReadings])))) > togetherMost/4 {
			t.Errorf("too many were read at once: %v", c.asked)
		}
	})
}
