package main

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	var f find
	f.Flags(flag.NewFlagSet("", flag.ContinueOnError))
	f.memory = 500
	good := measured{size: 10, taken: 10, delivered: 100 * time.Millisecond, acknowledged: 100 * time.Millisecond, memory: 500}
	if why := f.against(good); why != "" {
		t.Errorf("all at its bound: %s", why)
	}
	for want, spoil := range map[string]func(m *measured){
		"2 streams evicted":        func(m *measured) { m.evicted = 2 },
		"3 streams sent away":      func(m *measured) { m.ended = 3 },
		"4 notices refused":        func(m *measured) { m.refused = 4 },
		"it broke":                 func(m *measured) { m.fault = errors.New("it broke\nand more") },
		"p99 until durable 101 ms": func(m *measured) { m.acknowledged += time.Millisecond },
		"p99 until read 102 ms":    func(m *measured) { m.delivered += 2 * time.Millisecond },
		"nothing was taken":        func(m *measured) { m.taken = 0 },
		"501 MiB":                  func(m *measured) { m.memory = 501 },
	} {
		m := good
		spoil(&m)
		if why := f.against(m); why != want {
			t.Errorf("%q, want %q", why, want)
		}
	}
}

func TestSizing(t *testing.T) {
	m := measured{size: 2000, taken: 1, delivered: 2500 * time.Microsecond, acknowledged: time.Millisecond, memory: 120, cores: cores{0.5, 0.25, 0.125}}
	over := outcome{why: "p99 until read 300 ms", measured: measured{size: 2500}}
	f := &found{database: "postgres", empty: 100, idle: limit{outcome{measured: m}, outcome{why: "it is full"}}, single: limit{outcome{measured: m}, over}, together: limit{outcome{measured: m}, over}}
	var out strings.Builder
	(&sizing{bounds: "Bounds: none.", streams: 1000, found: []*found{f}}).print(&out)
	for _, want := range []string{"Bounds: none.\n", "| what fits | PostgreSQL |\n|---|---|\n", "| **streams that wait** | **2,000** |\n", "| KiB of memory each | 10.2 |\n",
		"| p99 until durable, until read | 1.0 ms, 2.5 ms |\n", "| cores busy: node, database, generator | 0.50, 0.25, 0.12 |\n", "| what did not fit | more: it is full |\n",
		"| **notices a second, each for one person** | **2,000** |\n", "| what did not fit | 2,500: p99 until read 300 ms |\n", "| **deliveries a second, of notices for 1,000 streams** | **2,000,000** |\n",
		"| 10,000 | 448 MiB | 10,200 | 1 |\n", "| 100,000 | 2,240 MiB | 100,200 | 5 |\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestThousands(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(v); got != want {
			t.Errorf("%v is %q", v, got)
		}
	}
}
