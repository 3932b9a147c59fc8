package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"belfry/bench/crowd"
	"belfry/bench/generator"
	"belfry/bench/server"
)

// Sample is one look at a node.
type Sample struct {
	Minute      float64 `json:"minute"` // since the beginning
	Resident    float64 `json:"resident_mib"`
	Descriptors float64 `json:"descriptors"`
	Goroutines  float64 `json:"goroutines"`
	Heap        float64 `json:"heap_mib"`     // at which the next collection begins: twice what the last one found in use
	Database    float64 `json:"database_mib"` // PostgreSQL's, shared pages once
	P50         float64 `json:"p50_ms"`       // of the deliveries since the look before
	P99         float64 `json:"p99_ms"`
	Busy        float64 `json:"machine_load"` // processes of the machine that run or want to, over a minute
}

// Course is how one node went.
type Course struct {
	Database string   `json:"database"`
	Samples  []Sample `json:"samples"`

	Acked, Refused, Delivered, Lost, Doubled, Disorder int
	Cut, Ended, Pages, Visits, Evicted, Reset          int
}

func (c *Course) add(s Sample, t *generator.Tally) {
	c.Samples = append(c.Samples, s)
	c.count(t)
}

func (c *Course) count(t *generator.Tally) {
	c.Acked, c.Refused, c.Delivered = c.Acked+t.Acked, c.Refused+t.Refused, c.Delivered+t.Delivered
	c.Doubled, c.Disorder = c.Doubled+t.Doubled+t.Foreign, c.Disorder+t.Disorder
}

// sound says that everything came, and nothing twice.
func (c *Course) sound() bool {
	return c.Acked > 0 && c.Delivered > 0 && c.Refused+c.Lost+c.Doubled+c.Disorder+c.Evicted+c.Reset == 0
}

const mib = 1 << 20

// look looks at a node.
func look(ctx context.Context, site *crowd.Site) (s Sample, err error) {
	seen, err := metrics(ctx, site.Internal)
	if err != nil {
		return s, err
	}
	s.Resident, s.Heap = seen["process_resident_memory_bytes"]/mib, seen["go_memstats_next_gc_bytes"]/mib
	s.Descriptors, s.Goroutines = seen["process_open_fds"], seen["go_goroutines"]
	if site.Database != 0 {
		// A process of it may end while it is looked at; then the look before tells as much.
		if memory, err := server.TreeMemory(site.Database); err == nil {
			s.Database = float64(memory.Proportional) / 1024
		}
	}
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return s, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	s.Busy, err = strconv.ParseFloat(first, 64)
	return s, err
}

// metrics reads what a node says of itself. Of one with labels it is the sum.
func metrics(ctx context.Context, internal string) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+internal+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	seen := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		at := strings.LastIndexByte(lines.Text(), ' ')
		if at < 0 || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		value, err := strconv.ParseFloat(lines.Text()[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("/metrics: %q", lines.Text())
		}
		name, _, _ := strings.Cut(lines.Text()[:at], "{")
		seen[name] += value
	}
	return seen, lines.Err()
}
