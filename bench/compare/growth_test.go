package main

import (
	"io"
	"strings"
	"testing"
)

// What grows, at sizes that tell nothing but that each figure is there.
func TestGrowth(t *testing.T) {
	t.Parallel()
	p := planOf(t, "-scenarios=growth-streams,growth-rows,growth-groups", "-servers=belfry-sqlite", "-rounds=1", "-slices=2", "-duration=250ms", "-warmup=20ms",
		"-growth-streams=3,6", "-growth-rows=0,300", "-growth-groups=1,40", "-growth-rate=100", "-rate=100", "-appends=40", "-people=50", "-group-streams=5")
	r := p.measure(io.Discard, func(name string, body func(testing.TB)) { t.Run(name, func(t *testing.T) { body(t) }) })
	if r.failed() || len(r.Results) != 3*2 {
		t.Errorf("%+v", r.Results)
	}
	for _, s := range p.scenarios {
		for _, column := range s.columns {
			if values := r.values(s, "belfry-sqlite", column); len(values) != 2 || values[0] <= 0 {
				t.Errorf("%s: %v for %q (%s)", s.name, values, column.title, column.key)
			}
		}
	}
}

func TestSizesGrow(t *testing.T) {
	for list, good := range map[string]bool{"1,2": true, "0": true, "2,1": false, "x": false, "-1": false} {
		if _, err := growthNamed("growth-rows", &options{growthRows: list}); (err == nil) != good {
			t.Errorf("%s: %v", list, err)
		}
	}
	if _, err := growthNamed("growth-hair", &options{}); err == nil || !strings.Contains(err.Error(), "growth-hair") {
		t.Error(err)
	}
	if got := count(1000) + count(10_000_000) + count(1500) + count(0); got != "1 k10 M15000" {
		t.Error(got)
	}
}
