package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// limits are by how much something may grow, in % an hour. 0 = it is told, and not judged.
type limits struct {
	Resident    float64 `json:"resident"`
	Descriptors float64 `json:"descriptors"`
	Goroutines  float64 `json:"goroutines"`
	Latency     float64 `json:"latency"`
}

func (l *limits) flags(set *flag.FlagSet) {
	set.Float64Var(&l.Resident, "rss", 10, "by how many % an hour resident memory may grow; 0 = any")
	set.Float64Var(&l.Descriptors, "descriptors", 2, "the same of descriptors")
	set.Float64Var(&l.Goroutines, "goroutines", 2, "the same of goroutines")
	set.Float64Var(&l.Latency, "latency", 50, "the same of the deliveries' p99, for a machine that does nothing else")
}

// blocks is into how many parts of equal length what is judged is cut. The median of a block is one point: a garbage
// collector moves memory up and down, and neighbouring samples know of each other, which would make the line through
// them look more certain than it is. Parts longer than the longest such swing are nearly independent.
const blocks = 20

// student is the quantile of Student's t for 95 % on both sides, with a line through so many points.
const student = 2.101

// trend is how a figure went.
type trend struct {
	first, last float64 // medians of the first and the last block
	slope       float64 // % of the middle, an hour
	doubt       float64 // with 95 % the slope is within this of it
}

// trendOf fits a line (least squares) through the medians of the blocks. ok is false with fewer samples than blocks.
func trendOf(minutes, values []float64) (t trend, ok bool) {
	if len(values) < blocks {
		return t, false
	}
	var x, y [blocks]float64
	for i := range blocks {
		from, to := i*len(values)/blocks, (i+1)*len(values)/blocks
		x[i], y[i] = middle(minutes[from:to])/60, middle(values[from:to])
	}
	meanX, meanY := mean(x[:]), mean(y[:])
	var xx, xy float64
	for i := range blocks {
		xx += (x[i] - meanX) * (x[i] - meanX)
		xy += (x[i] - meanX) * (y[i] - meanY)
	}
	slope, rest := xy/xx, 0.0
	for i := range blocks {
		off := y[i] - meanY - slope*(x[i]-meanX)
		rest += off * off
	}
	doubt := student * math.Sqrt(rest/(blocks-2)/xx)
	if meanY == 0 {
		return t, true // of nothing there is no share
	}
	scale := 100 / meanY
	return trend{y[0], y[blocks-1], slope * scale, doubt * scale}, true
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}

// flat says that what grows stays below the limit, and that this is certain: one that cannot be told from growth is none.
func (t trend) flat(limit float64) bool { return t.slope+t.doubt <= limit }

// figure is what is looked at, and by how much it may grow.
type figure struct {
	title string
	of    func(Sample) float64
	limit float64
	form  string
}

func (r *Record) figures() []figure {
	return []figure{
		{"memory, MiB", func(s Sample) float64 { return s.Resident }, r.Limits.Resident, "%.1f"},
		{"descriptors", func(s Sample) float64 { return s.Descriptors }, r.Limits.Descriptors, "%.0f"},
		{"goroutines", func(s Sample) float64 { return s.Goroutines }, r.Limits.Goroutines, "%.0f"},
		{"p99 of deliveries, ms", func(s Sample) float64 { return s.P99 }, r.Limits.Latency, "%.1f"},
		{"heap goal, MiB", func(s Sample) float64 { return s.Heap }, 0, "%.1f"},
		{"PostgreSQL's memory, MiB", func(s Sample) float64 { return s.Database }, 0, "%.1f"},
	}
}

// judged are the samples that are looked at: not those of the beginning.
func (r *Record) judged(c *Course) []Sample { return c.Samples[int(r.Settle*float64(len(c.Samples))):] }

func series(samples []Sample, of func(Sample) float64) (minutes, values []float64) {
	for _, s := range samples {
		minutes, values = append(minutes, s.Minute), append(values, of(s))
	}
	return minutes, values
}

// print prints the tables, and says whether everything held.
func (r *Record) print(out io.Writer) (held bool) {
	fmt.Fprintf(out, "%s\n%s\n", r.Machine, r.Load)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "database\tof the node\tfirst\tlast\t% an hour\t±\tat most\t\t")
	held = len(r.Courses) > 0
	for _, c := range r.Courses {
		for _, f := range r.figures() {
			minutes, values := series(r.judged(c), f.of)
			t, ok := trendOf(minutes, values)
			if !ok {
				fmt.Fprintf(w, "%s\t%s\t\t\t\t\t\ttoo few looks at it: %d\t\n", c.Database, f.title, len(values))
				held = held && f.limit == 0
				continue
			}
			if t.first == 0 && t.last == 0 {
				continue // SQLite has no processes
			}
			verdict, most := "", ""
			if f.limit > 0 {
				verdict, most = "flat", fmt.Sprint(f.limit)
				if !t.flat(f.limit) {
					verdict, held = "NOT FLAT", false
				}
			}
			fmt.Fprintf(w, "%s\t%s\t"+f.form+"\t"+f.form+"\t%.2f\t%.2f\t%s\t%s\t\n", c.Database, f.title, t.first, t.last, t.slope, t.doubt, most, verdict)
		}
	}
	_ = w.Flush()
	for _, c := range r.Courses {
		_, load := series(c.Samples, func(s Sample) float64 { return s.Busy })
		_, p50 := series(c.Samples, func(s Sample) float64 { return s.P50 })
		if len(load) == 0 {
			continue
		}
		fmt.Fprintf(out, "%s: %d notices acknowledged, %d refused; %d deliveries, %d lost, %d doubled, %d out of order, p50 %.2f ms; %d streams cut, %d sent away, %d evicted, %d reset; %d visits, %d pages; load of the machine %.1f (at most %.1f)\n",
			c.Database, c.Acked, c.Refused, c.Delivered, c.Lost, c.Doubled, c.Disorder, middle(p50), c.Cut, c.Ended, c.Evicted, c.Reset, c.Visits, c.Pages, middle(load), slices.Max(load))
		held = held && c.sound()
	}
	return held
}
