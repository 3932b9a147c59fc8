package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"belfry/bench/drawing"
)

// lines is how many times its first value a figure is at the other sizes, a line a server.
type lines struct {
	scenario, title, what, of string
	panels                    []panel
}

type panel struct {
	title, key string
	limit      float64 // promised; 0 = nothing is
}

// series is one line.
type series struct {
	name   string
	values [][]float64 // by size, each sorted
	first  float64     // the absolute figure at the first size
}

func (l lines) draw(r *report) *drawing.Drawing {
	sizes := r.sizes(l.scenario)
	if len(sizes) < 2 {
		return nil
	}
	const gap, height = 28.0, 210.0
	d := &drawing.Drawing{}
	y := d.Head(l.title, l.what+", as a multiple of that at the left end; upright lines: least and greatest")
	width := (drawing.Width - 2*drawing.Margin - gap*float64(len(l.panels)-1)) / float64(len(l.panels))
	for i, p := range l.panels {
		x := drawing.Margin + float64(i)*(width+gap)
		d.Text(x, y+16, "strong", "start", p.title)
		p.draw(d, sizes, r.series(l.scenario, p.key, sizes), box{x + 28, y + 30, width - 28, height})
		d.Text(x+28+(width-28)/2, y+height+72, "small", "middle", l.of)
	}
	d.Height = y + height + 110
	d.Text(drawing.Margin, d.Height-14, "small", "start", r.Machine)
	return d
}

// sizes are those that a growth was measured at.
func (r *report) sizes(scenario string) []int {
	found := map[int]bool{}
	for _, result := range r.Results {
		if result.Scenario != scenario {
			continue
		}
		for key := range result.Values {
			if _, number, ok := strings.Cut(key, "@"); ok {
				if size, err := strconv.Atoi(number); err == nil {
					found[size] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (r *report) series(name, key string, sizes []int) (all []series) {
	s := &scenario{name: name}
	for _, c := range contestants() {
		line := series{name: c.name}
		for _, size := range sizes {
			if values := r.values(s, c.name, column{key: at(key+"_x", size)}); len(values) > 0 {
				line.values = append(line.values, values)
			}
		}
		if first := r.values(s, c.name, column{key: at(key, sizes[0])}); len(first) > 0 && len(line.values) == len(sizes) {
			line.first = median(first)
			all = append(all, line)
		}
	}
	return all
}

// box is where something is drawn.
type box struct{ x, y, width, height float64 }

func (p panel) draw(d *drawing.Drawing, sizes []int, all []series, in box) {
	top := max(1.5, p.limit)
	for _, s := range all {
		for _, values := range s.values {
			top = max(top, values[len(values)-1])
		}
	}
	step := 0.5
	for top/step > 5 {
		step *= 2
	}
	top = math.Ceil(top/step) * step
	across := func(i int) float64 { return in.x + 24 + float64(i)*(in.width-48)/float64(len(sizes)-1) }
	up := func(v float64) float64 { return in.y + in.height*(1-v/top) }
	for v := 0.0; v <= top; v += step {
		class := "grid"
		if v == 0 {
			class = "axis"
		}
		d.Line(in.x, up(v), in.x+in.width, up(v), class)
		d.Text(in.x-6, up(v)+4, "small", "end", strconv.FormatFloat(v, 'f', -1, 64))
	}
	for i, size := range sizes {
		d.Text(across(i), in.y+in.height+20, "small", "middle", count(size))
	}
	if p.limit > 0 {
		d.Line(in.x, up(p.limit), in.x+in.width, up(p.limit), "limit")
		d.Text(in.x+in.width, up(p.limit)-6, "limit", "end", fmt.Sprintf("promised: at most %.2f", p.limit))
	}
	for i, s := range all {
		s.draw(d, []string{"one", "two"}[i%2], sizes, across, up)
		d.Text(in.x+8, in.y+in.height-12-18*float64(i), []string{"one", "two"}[i%2], "start", fmt.Sprintf("%s: 1 = %s", shown[s.name], micros(s.first)))
	}
}

func (s series) draw(d *drawing.Drawing, class string, sizes []int, across func(int) float64, up func(float64) float64) {
	var points [][2]float64
	for i, values := range s.values {
		points = append(points, [2]float64{across(i), up(median(values))})
		if least, greatest := values[0], values[len(values)-1]; greatest > least {
			d.Line(across(i), up(least), across(i), up(greatest), class)
		}
	}
	d.Path(points, class)
	for i, point := range points {
		d.Dot(point[0], point[1], class, fmt.Sprintf("%s at %s: × %.2f", shown[s.name], count(sizes[i]), median(s.values[i])))
	}
}
