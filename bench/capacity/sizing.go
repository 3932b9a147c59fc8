package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// sizing is the answers for all databases, and the tables of them.
type sizing struct {
	bounds  string
	streams int // that notices went to
	found   []*found
}

// perStream is what an idle stream costs, with its session, in KiB.
func (f *found) perStream() float64 {
	return (f.idle.best.memory - f.empty) * 1024 / math.Max(float64(f.idle.best.size), 1)
}

// print writes Markdown, as the documentation has it.
func (s *sizing) print(out io.Writer) {
	fmt.Fprintln(out, s.bounds)
	head, rule := "\n| what fits |", "|---|"
	for _, f := range s.found {
		head += " " + shown[f.database].name + " |"
		rule += "---|"
	}
	fmt.Fprintln(out, head+"\n"+rule)
	row := func(what string, of func(f *found) string) {
		fmt.Fprintf(out, "| %s |", what)
		for _, f := range s.found {
			fmt.Fprintf(out, " %s |", of(f))
		}
		fmt.Fprintln(out)
	}
	idle := func(f *found) limit { return f.idle }
	single := func(f *found) limit { return f.single }
	all := func(f *found) limit { return f.together }
	row("**streams that wait**", func(f *found) string { return "**" + thousands(float64(f.idle.best.size)) + "**" })
	row("KiB of memory each", func(f *found) string { return fmt.Sprintf("%.1f", f.perStream()) })
	s.rows(row, idle)
	row("**notices a second, each for one person**", func(f *found) string { return "**" + thousands(float64(f.single.best.size)) + "**" })
	s.rows(row, single)
	row(fmt.Sprintf("**deliveries a second, of notices for %s streams**", thousands(float64(s.streams))), func(f *found) string {
		return "**" + thousands(float64(f.together.best.size*s.streams)) + "**"
	})
	s.rows(row, all)
	s.plan(out)
}

// rows tell more of an answer.
func (s *sizing) rows(row func(string, func(*found) string), of func(*found) limit) {
	row("p99 until durable, until read", func(f *found) string {
		m := of(f).best
		return fmt.Sprintf("%s, %s", ms(m.acknowledged), ms(m.delivered))
	})
	row("cores busy: node, database, generator", func(f *found) string {
		c := of(f).best.cores
		return fmt.Sprintf("%.2f, %.2f, %.2f", c.node, c.database, c.generator)
	})
	row("what did not fit", func(f *found) string {
		over := of(f).over
		if over.size == 0 {
			return "more: " + cmp.Or(over.why, "was not tried")
		}
		return fmt.Sprintf("%s: %s", thousands(float64(over.size)), over.why)
	})
}

// plan says what streams need, from what one of them took.
func (s *sizing) plan(out io.Writer) {
	fmt.Fprintln(out, "\n| streams of a node | its memory | descriptors (`LimitNOFILE`) | addresses of the proxy |\n|---|---|---|---|")
	for _, streams := range []int{1_000, 10_000, 50_000, 100_000} {
		memory := 0.0
		for _, f := range s.found {
			memory = math.Max(memory, f.empty+float64(streams)*f.perStream()/1024)
		}
		// Twice: a heap grows before it is collected, and a crowd that comes back at once takes more for a moment.
		fmt.Fprintf(out, "| %s | %s MiB | %s | %d |\n", thousands(float64(streams)), thousands(math.Ceil(2*memory/64)*64), thousands(float64(streams+spare)), len(sources(streams)))
	}
}

// thousands groups digits as in 12,345.
func thousands(v float64) string {
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", milliseconds(d)) }
