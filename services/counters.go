package services

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counters are counters that differ in the value of one label. The values are fixed, so that each is there from the
// beginning, at 0, and nobody from outside can make more of them.
type counters map[string]*atomic.Int64

func newCounters(values ...string) counters {
	c := counters{}
	for _, value := range values {
		c[value] = &atomic.Int64{}
	}
	return c
}

// inc counts one. A value that is not among them is not counted.
func (c counters) inc(value string) {
	if n := c[value]; n != nil {
		n.Add(1)
	}
}

// total is how many there were of all values.
func (c counters) total() (sum int64) {
	for _, n := range c {
		sum += n.Load()
	}
	return sum
}

// figures are what a collector gives.
type figures func(prometheus.Metric)

func (f figures) counters(name, help, label string, c counters) {
	for _, value := range slices.Sorted(maps.Keys(c)) {
		f.counter(name, help, c[value].Load(), label, value)
	}
}

// counter gives a sum; labels are names and values in turn.
func (f figures) counter(name, help string, value int64, labels ...string) {
	f.add(prometheus.CounterValue, name, help, float64(value), labels)
}

func (f figures) gauge(name, help string, value float64, labels ...string) {
	f.add(prometheus.GaugeValue, name, help, value, labels)
}

func (f figures) add(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	f(prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...))
}
