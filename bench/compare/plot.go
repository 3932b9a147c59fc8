package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"belfry/bench/drawing"
)

// plot draws what was measured and saved, one file or several, into a folder.
func plot(args []string, out io.Writer) error {
	if len(args) < 2 {
		return errors.New("usage: compare plot FILE.json… DIR")
	}
	dir := args[len(args)-1]
	r, err := readReports(args[:len(args)-1])
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	drawn := 0
	for _, p := range r.pictures() {
		d := p.draw(r)
		if d == nil {
			continue
		}
		path := filepath.Join(dir, p.file)
		if err := d.Save(path); err != nil {
			return err
		}
		drawn++
		fmt.Fprintln(out, path)
	}
	if drawn == 0 {
		return errors.New("there is nothing to draw")
	}
	return nil
}

// picture is a file and what it shows; where that was not measured, it draws nothing.
type picture struct {
	file string
	draw func(r *report) *drawing.Drawing
}

func (r *report) pictures() []picture {
	promised := func(limit float64) []panel { return []panel{{"a delivery", "us", limit}} }
	return []picture{
		{"deliveries.svg", bars{"fanout", "per_cpu_s", "Deliveries per second of the server's CPU", "one notice to all streams, as many as go; more is better", true, thousands}.draw},
		{"deliveries-rate.svg", bars{"rate", "us", "CPU time of a delivery at a steady rate", "µs, one notice to all streams, 30 times a second; less is better", false, micros}.draw},
		{"memory.svg", bars{r.largest("idle-"), "rss", "Memory of a stream that waits", "KiB of the server's resident memory, its session included; less is better", false, kibibytes}.draw},
		{"growth-streams.svg", lines{"growth-streams", "A delivery, with more streams", "the server's CPU time", "streams", promised(1.15)}.draw},
		{"growth-rows.svg", lines{"growth-rows", "Writing and reading, with more rows in the log", "CPU time of server and database", "rows beneath",
			[]panel{{"to append a notice", "append_us", 1.2}, {"a page of the inbox", "page_us", 1.2}}}.draw},
		{"growth-groups.svg", lines{"growth-groups", "With more groups that a person is in", "the server's CPU time", "groups",
			[]panel{{"a delivery to one of them", "us", 0}, {"to come back with a stream", "hello_us", 0}}}.draw},
	}
}

// largest is the scenario of the greatest size of those that begin so.
func (r *report) largest(prefix string) (name string) {
	most := -1
	for _, result := range r.Results {
		size, err := strconv.Atoi(strings.TrimPrefix(result.Scenario, prefix))
		if err == nil && size > most && strings.HasPrefix(result.Scenario, prefix) {
			name, most = result.Scenario, size
		}
	}
	return name
}

// shown are the names of servers as a reader knows them.
var shown = map[string]string{"raw1": "a bare write(2)", "nchan": "nchan (nginx)", "nethttp": "net/http by hand", "gin": "Gin by hand", "gosse": "go-sse", "r3labs": "r3labs/sse",
	"centrifuge": "centrifuge", "mercure": "Mercure", "mercure-bolt": "Mercure (Bolt)", "belfry-postgres": "Belfry (PostgreSQL)", "belfry-sqlite": "Belfry (SQLite)"}

func thousands(v float64) string { return fmt.Sprintf("%.0f k", v/1000) }
func micros(v float64) string    { return fmt.Sprintf("%.1f µs", v) }
func kibibytes(v float64) string { return fmt.Sprintf("%.1f KiB", v) }

// bars is one figure of one scenario, a bar a server, the best on top.
type bars struct {
	scenario, key, title, subtitle string
	more                           bool // is better
	form                           func(float64) string
}

type bar struct {
	server string
	values []float64 // sorted
}

func (b bars) draw(r *report) *drawing.Drawing {
	var all []bar
	most := 0.0
	for _, c := range contestants() {
		if values := r.values(&scenario{name: b.scenario}, c.name, column{key: b.key}); len(values) > 0 {
			all = append(all, bar{c.name, values})
			most = max(most, values[len(values)-1])
		}
	}
	if len(all) == 0 || most <= 0 {
		return nil
	}
	slices.SortStableFunc(all, func(x, y bar) int {
		if b.more {
			x, y = y, x
		}
		return int(math.Copysign(1, median(x.values)-median(y.values)))
	})
	const left, right, row, thick = 178.0, 84.0, 27.0, 17.0
	d := &drawing.Drawing{}
	y := d.Head(b.title, b.subtitle)
	scale := (drawing.Width - left - right) / most
	for _, bar := range all {
		middle, least, greatest := median(bar.values), bar.values[0], bar.values[len(bar.values)-1]
		class, label := "bar", ""
		if strings.HasPrefix(bar.server, "belfry") {
			class, label = "ours", "strong"
		} else if bar.server == "raw1" {
			class = "floor"
		}
		d.Text(left-10, y+thick-4, label, "end", shown[bar.server])
		d.Bar(left, y, max(middle*scale, 1), thick, class, fmt.Sprintf("%s: %s (%s–%s)", shown[bar.server], b.form(middle), b.form(least), b.form(greatest)))
		if greatest > least {
			d.Line(left+least*scale, y+thick/2, left+greatest*scale, y+thick/2, "spread")
		}
		d.Text(left+max(middle, greatest)*scale+8, y+thick-4, label, "start", b.form(middle))
		y += row
	}
	d.Height = y + 26
	d.Text(drawing.Margin, d.Height-14, "small", "start", r.Machine)
	return d
}
