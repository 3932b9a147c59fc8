// Package histogram counts values in buckets, at the cost of some comparisons and no lock.
package histogram

import "time"

// Histogram is how values are spread over buckets. The zero Histogram is not usable. It has no lock: either its owner has
// one that is held anyway, or it is a Locked.
type Histogram struct {
	bounds []int64  // the greatest value of each bucket, rising; shared
	counts []uint64 // one more than there are bounds, for what is greater than all
	sum    int64
}

// latencies are the bounds for times from a request to its effect: fine where Belfry is when all is well, coarse behind.
var latencies = boundsOf(500*time.Microsecond, time.Millisecond, 2*time.Millisecond, 5*time.Millisecond, 10*time.Millisecond,
	20*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond, 500*time.Millisecond,
	time.Second, 2*time.Second, 5*time.Second, 10*time.Second, 30*time.Second)

// sizes are the bounds for numbers of things.
var sizes = []int64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000}

func boundsOf(durations ...time.Duration) (bounds []int64) {
	for _, d := range durations {
		bounds = append(bounds, int64(d))
	}
	return bounds
}

// OfLatencies makes an empty histogram for durations, in nanoseconds.
func OfLatencies() Histogram { return of(latencies) }

// OfSizes makes an empty histogram for counts.
func OfSizes() Histogram { return of(sizes) }

func of(bounds []int64) Histogram {
	return Histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(value int64) {
	i := 0
	for i < len(h.bounds) && value > h.bounds[i] {
		i++
	}
	h.counts[i]++
	h.sum += value
}

// Add counts what another one of the same kind has counted.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.sum += other.sum
}

// Since is what was counted after an earlier Clone.
func (h *Histogram) Since(earlier *Histogram) Histogram {
	since := h.Clone()
	for i, n := range earlier.counts {
		since.counts[i] -= n
	}
	since.sum -= earlier.sum
	return since
}

// Clone is the histogram as it stands.
func (h *Histogram) Clone() Histogram {
	clone := of(h.bounds)
	clone.Add(h)
	return clone
}

// Count tells how many values were counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// Sum is that of the values.
func (h *Histogram) Sum() int64 { return h.sum }

// Cumulative gives for each bound how many values are not greater.
func (h *Histogram) Cumulative() map[int64]uint64 {
	buckets, n := make(map[int64]uint64, len(h.bounds)), uint64(0)
	for i, bound := range h.bounds {
		n += h.counts[i]
		buckets[bound] = n
	}
	return buckets
}

// Quantile estimates the value that a part q of the values is not greater than, as Prometheus does: evenly within a bucket,
// and the last bound for what lies behind it. It is 0 where nothing was counted.
func (h *Histogram) Quantile(q float64) int64 {
	rank := q * float64(h.Count())
	var below, lower int64
	for i, bound := range h.bounds {
		n := int64(h.counts[i]) //nolint:gosec // a count of what happened fits
		if n > 0 && float64(below+n) >= rank {
			return lower + int64(float64(bound-lower)*max(0, rank-float64(below))/float64(n))
		}
		below, lower = below+n, bound
	}
	if below == 0 && h.counts[len(h.bounds)] == 0 {
		return 0
	}
	return lower
}
