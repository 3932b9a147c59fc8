package generator

import (
	"math/bits"
	"time"
)

const (
	// Each power of two is cut in so many steps: a value is told to 3 %.
	stepBits = 5
	steps    = 1 << stepBits
)

// Histogram counts durations without keeping them. Its zero value is empty.
type Histogram struct {
	counts [64 * steps]uint32
	n      int
	max    time.Duration
}

// Add counts a duration; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// bucket is the place of a value: below steps each has its own, above that those that agree in their first bits.
func bucket(v uint64) int {
	if v < steps {
		return int(v)
	}
	shift := bits.Len64(v) - stepBits - 1
	return (shift+1)<<stepBits + int(v>>shift)&(steps-1)
}

// upper is the greatest value of a bucket.
func upper(i int) uint64 {
	if i < steps {
		return uint64(i)
	}
	shift := i>>stepBits - 1
	return (uint64(steps+i&(steps-1))+1)<<shift - 1
}

// Share is a duration that so many of all are not above: 0.5 is the median.
func (h *Histogram) Share(of float64) time.Duration {
	left := max(int(of*float64(h.n)), 1)
	for i, count := range h.counts {
		if left -= int(count); left <= 0 {
			return min(time.Duration(upper(i)), h.max)
		}
	}
	return 0
}

// Max is the longest of all.
func (h *Histogram) Max() time.Duration { return h.max }

// Count is how many there are.
func (h *Histogram) Count() int { return h.n }
