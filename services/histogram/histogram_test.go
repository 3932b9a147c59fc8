package histogram

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestQuantile: an estimate lies in the bucket that the true value lies in.
func TestQuantile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		h := OfLatencies()
		var values []int64
		for range 1 + random.IntN(500) {
			value := random.Int64N(int64(40 * time.Second))
			if random.IntN(2) == 0 {
				value = random.Int64N(int64(20 * time.Millisecond))
			}
			values = append(values, value)
			h.Observe(value)
		}
		slices.Sort(values)
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			rank := int(q*float64(len(values))+0.999999) - 1
			exact, estimate := values[max(0, rank)], h.Quantile(q)
			if bucket(exact) != bucket(estimate) && (exact < latencies[len(latencies)-1] || estimate != latencies[len(latencies)-1]) {
				t.Fatalf("the %v quantile of %d values is %v; the estimate is %v", q, len(values), time.Duration(exact), time.Duration(estimate))
			}
		}
	}
	if empty := OfLatencies(); empty.Quantile(0.99) != 0 {
		t.Error("the quantile of nothing is not 0")
	}
}

func bucket(value int64) int {
	i, _ := slices.BinarySearch(latencies, value)
	return i
}

// TestSince: what two moments differ by is what was counted between them, and nothing shares memory.
func TestSince(t *testing.T) {
	h := Lock(OfSizes())
	h.Observe(3)
	earlier := h.Clone()
	for _, value := range []int64{1, 1, 7, 1 << 40} {
		h.Observe(value)
	}
	later := h.Clone()
	since := later.Since(&earlier)
	if since.Count() != 4 || since.Sum() != 9+1<<40 || later.Count() != 5 || earlier.Count() != 1 {
		t.Errorf("%d values since, %d in all, %d before; their sum is %d", since.Count(), later.Count(), earlier.Count(), since.Sum())
	}
	if got := since.Cumulative(); got[1] != 2 || got[5] != 2 || got[10] != 3 || got[100_000] != 3 {
		t.Errorf("the buckets are %v", got)
	}
}
