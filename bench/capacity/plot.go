package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"

	"belfry/bench/drawing"
)

// plot judges and draws what was saved.
func plot(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: capacity plot FILE.json OUT.svg")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if err := r.draw().Save(args[1]); err != nil {
		return err
	}
	if !r.print(out) {
		return errors.New("it did not hold out")
	}
	return nil
}

// shown are the names of databases, and how their lines are drawn.
var shown = map[string]struct{ name, class string }{"postgres": {"PostgreSQL", "one"}, "sqlite": {"SQLite", "two"}}

// cutOff is how many times its median a figure is shown up to.
const cutOff = 4

// draw draws the figures that are judged, two beside each other.
func (r *Record) draw() *drawing.Drawing {
	const gap, height, columns = 36.0, 150.0, 2
	d := &drawing.Drawing{}
	longest := 0.0
	for _, c := range r.Courses {
		for _, s := range c.Samples {
			longest = max(longest, s.Minute)
		}
	}
	y := d.Head(fmt.Sprintf("A node under load for %.0f minutes", longest), fmt.Sprintf("what lies left of the upright line is not judged, what is above %d times the median is cut off", cutOff))
	width := (drawing.Width - 2*drawing.Margin - gap) / columns
	judged := r.figures()[:4]
	for i, f := range judged {
		x := drawing.Margin + float64(i%columns)*(width+gap)
		r.panel(d, f, longest, x, y+float64(i/columns)*(height+72), width, height)
	}
	d.Height = y + float64((len(judged)+1)/columns)*(height+72) + 24
	d.Text(drawing.Margin, d.Height-14, "small", "start", r.Machine)
	return d
}

func (r *Record) panel(d *drawing.Drawing, f figure, longest, left, y, width, height float64) {
	d.Text(left, y+16, "strong", "start", f.title)
	x, top := left+34, y+28
	width -= 34
	var all []float64
	for _, c := range r.Courses {
		_, values := series(c.Samples, f.of)
		all = append(all, values...)
	}
	// One stall would press all else down to a line.
	most := max(1, min(slices.Max(all), cutOff*middle(all)))
	step := roundStep(most / 4)
	most = math.Ceil(most/step) * step
	across := func(minute float64) float64 { return x + width*minute/max(longest, 1e-9) }
	up := func(v float64) float64 { return top + height*(1-v/most) }
	for v := 0.0; v <= most+step/2; v += step {
		class := "grid"
		if v == 0 {
			class = "axis"
		}
		d.Line(x, up(v), x+width, up(v), class)
		d.Text(x-6, up(v)+4, "small", "end", strconv.FormatFloat(v, 'f', -1, 64))
	}
	d.Line(across(r.Settle*longest), top, across(r.Settle*longest), top+height, "axis")
	d.Text(x, top+height+18, "small", "start", "0")
	d.Text(x+width, top+height+18, "small", "end", fmt.Sprintf("%.0f min", longest))
	for i, c := range r.Courses {
		minutes, values := series(c.Samples, f.of)
		points := make([][2]float64, 0, len(values))
		for j := range values {
			points = append(points, [2]float64{across(minutes[j]), up(min(values[j], most))})
		}
		d.Path(points, shown[c.Database].class)
		d.Text(x+width-62*float64(len(r.Courses)-1-i), y+16, shown[c.Database].class, "end", shown[c.Database].name)
	}
}

// roundStep is 1, 2 or 5 times a power of ten, and not less.
func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, by := range []float64{1, 2, 5} {
		if by*power >= least {
			return by * power
		}
	}
	return 10 * power
}
