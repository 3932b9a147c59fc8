package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// measured is a report with some figures, as if they had been measured.
func measured() *report {
	r := &report{Machine: `2 × "Processor" <R>`}
	add := func(scenario, server string, round int, values map[string]float64) {
		r.Results = append(r.Results, Result{Scenario: scenario, Server: server, Round: round, Values: values})
	}
	for round := range 3 {
		by := 1 + float64(round)/10
		for server, speed := range map[string]float64{"raw1": 200_000, "nchan": 150_000, "belfry-postgres": 300_000} {
			add("fanout", server, round, map[string]float64{"per_cpu_s": speed * by})
			add("idle-5000", server, round, map[string]float64{"rss": 99})
			add("idle-10000", server, round, map[string]float64{"rss": speed / 10_000})
		}
		for _, server := range []string{"belfry-postgres", "belfry-sqlite"} {
			add("growth-rows", server, round, map[string]float64{"append_us@0": 300, "append_us_x@0": 1, "append_us@1000": 330, "append_us_x@1000": by,
				"page_us@0": 2000, "page_us_x@0": 1, "page_us@1000": 2000, "page_us_x@1000": 1})
		}
	}
	return r
}

func TestPlot(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "all.json"), filepath.Join(dir, "more.json")
	r := measured()
	rest := &report{Results: r.Results[9:]}
	r.Results = r.Results[:9]
	for path, part := range map[string]*report{file: rest, other: r} {
		if err := part.save(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := plot([]string{file, other, filepath.Join(dir, "images")}, io.Discard); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "images", "*"))
	if err != nil || len(found) != 3 {
		t.Fatalf("%v, %v", found, err)
	}
	for name, wants := range map[string][]string{
		"deliveries.svg":  {">330 k<", "Belfry (PostgreSQL): 330 k (300 k–360 k)", "nchan (nginx)"},
		"memory.svg":      {">30.0 KiB<", "prefers-color-scheme:dark", "&lt;R&gt;"},
		"growth-rows.svg": {"promised: at most 1.20", "Belfry (SQLite) at 1 k: × 1.10", "1 = 300.0 µs", "to append", "a page"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, "images", name))
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, name, string(text))
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
	}
	text, _ := os.ReadFile(filepath.Join(dir, "images", "deliveries.svg"))
	if at := strings.Index; at(string(text), "Belfry") > at(string(text), "a bare write(2)") || at(string(text), "a bare write(2)") > at(string(text), "nchan") {
		t.Error("the best is not on top")
	}
}

func TestTables(t *testing.T) {
	file := filepath.Join(t.TempDir(), "all.json")
	if err := measured().save(file); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := tables([]string{file}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### idle-5000\n\n| server | runs | KiB RSS/stream |", "| nchan | 3 | – | 165000 (150000–180000) | 0.75 |", "| raw1 | 3 | 20.00 |",
		"| server | rows | runs | µs/append | × |", "| belfry-sqlite | 1 k | 3 | 330.0 | 1.10 (1.00–1.20) |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if tables(nil, &out) == nil {
		t.Error("tables of nothing")
	}
}

func wellFormed(t *testing.T, name, text string) {
	t.Helper()
	for in := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := in.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestPlotOfNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "none.json")
	if err := (&report{}).save(file); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {file}, {file, dir}, {filepath.Join(dir, "missing"), dir}} {
		if plot(args, io.Discard) == nil {
			t.Errorf("%v: drawn", args)
		}
	}
}
