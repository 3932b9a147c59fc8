package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hour is an hour of samples, one every 5 s.
func hour(of func(minute float64) float64) (minutes, values []float64) {
	for i := range 720 {
		minute := float64(i) / 12
		minutes, values = append(minutes, minute), append(values, of(minute))
	}
	return minutes, values
}

// saw goes from 0 to height within a period, and falls back: as memory does that a collector gives back.
func saw(minute, period, height float64) float64 { return height * math.Mod(minute, period) / period }

func TestTrend(t *testing.T) {
	for name, tt := range map[string]struct {
		of       func(minute float64) float64
		slope    float64 // ±1
		flatAt10 bool
	}{
		"constant":                               {func(float64) float64 { return 50 }, 0, true},
		"falling":                                {func(m float64) float64 { return 130 - m }, -60, true},
		"a leak of 20 %":                         {func(m float64) float64 { return 100 + 20*(m-30)/60 }, 20, false},
		"a saw":                                  {func(m float64) float64 { return 95 + saw(m, 1.1, 10) }, 0, true},
		"a saw on a leak of 8 %":                 {func(m float64) float64 { return 95 + saw(m, 1.1, 10) + 8*(m-30)/60 }, 8, true},
		"a saw on a leak of 15 %":                {func(m float64) float64 { return 95 + saw(m, 1.1, 10) + 15*(m-30)/60 }, 15, false},
		"one step, and flat besides":             {func(m float64) float64 { return 100 + 30*math.Floor(m/40) }, 40, false},
		"swings too slow to be told from growth": {func(m float64) float64 { return 100 + 30*math.Cos(2*math.Pi*m/20) }, 0, false},
	} {
		trend, ok := trendOf(hour(tt.of))
		if !ok || trend.flat(10) != tt.flatAt10 || math.Abs(trend.slope-tt.slope) > 5 {
			t.Errorf("%s: %+v, flat %v", name, trend, trend.flat(10))
		}
	}
	minutes, values := hour(func(float64) float64 { return 1 })
	if _, ok := trendOf(minutes[:blocks-1], values[:blocks-1]); ok {
		t.Error("fewer samples than blocks tell something")
	}
	if trend, ok := trendOf(hour(func(float64) float64 { return 0 })); !ok || !trend.flat(1) {
		t.Errorf("nothing at all: %+v", trend)
	}
}

func record(grows float64) *Record {
	c := &Course{Database: "sqlite", Acked: 10, Delivered: 10}
	for i := range 240 {
		minute := float64(i) / 4
		c.Samples = append(c.Samples, Sample{Minute: minute, Resident: 100 + grows*minute/60, Descriptors: 40, Goroutines: 50, P99: 3, Busy: 1})
	}
	return &Record{Machine: "<a machine>", Load: "a load", Settle: 0.25, Limits: limits{Resident: 10, Descriptors: 2, Goroutines: 2, Latency: 50}, Courses: []*Course{c}}
}

func TestJudges(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*Record)
		held  bool
		said  string
	}{
		"flat":             {func(*Record) {}, true, " flat"},
		"growing":          {func(r *Record) { *r = *record(30) }, false, "NOT FLAT"},
		"growing, told":    {func(r *Record) { *r = *record(30); r.Limits.Resident = 0 }, true, "memory"},
		"growing at first": {func(r *Record) { r.Courses[0].Samples[3].Resident = 10 }, true, " flat"},
		"lost":             {func(r *Record) { r.Courses[0].Lost = 1 }, false, "1 lost"},
		"doubled":          {func(r *Record) { r.Courses[0].Doubled = 1 }, false, "1 doubled"},
		"out of order":     {func(r *Record) { r.Courses[0].Disorder = 1 }, false, "1 out of order"},
		"refused":          {func(r *Record) { r.Courses[0].Refused = 1 }, false, "1 refused"},
		"evicted":          {func(r *Record) { r.Courses[0].Evicted = 1 }, false, "1 evicted"},
		"reset":            {func(r *Record) { r.Courses[0].Reset = 1 }, false, "1 reset"},
		"nothing came":     {func(r *Record) { r.Courses[0].Delivered = 0 }, false, "0 deliveries"},
		"hardly looked at": {func(r *Record) { r.Courses[0].Samples = r.Courses[0].Samples[:20] }, false, "too few looks"},
		"nobody there":     {func(r *Record) { r.Courses = nil }, false, "a load"},
	} {
		r := record(0)
		tt.spoil(r)
		var out strings.Builder
		if held := r.print(&out); held != tt.held || !strings.Contains(out.String(), tt.said) {
			t.Errorf("%s: held %v\n%s", name, held, out.String())
		}
	}
}

func TestDraws(t *testing.T) {
	path := filepath.Join(t.TempDir(), "soak.svg")
	if err := record(5).draw().Save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"memory, MiB", "descriptors", "goroutines", "p99 of deliveries", ">SQLite<", "for 60 minutes", "&lt;a machine&gt;", `class="two"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q", want)
		}
	}
	for least, want := range map[float64]float64{1: 1, 1.1: 2, 3: 5, 7: 10, 0.03: 0.05, 160: 200} {
		if got := roundStep(least); math.Abs(got-want) > 1e-9 {
			t.Errorf("a step of at least %v is %v", least, got)
		}
	}
}
