package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"belfry/bench/generator"
	"belfry/bench/statements"
)

// storm is all streams cut at once, messages meanwhile, and all back at once.
func storm(streams, missed int) *scenario {
	return &scenario{name: "storm", columns: slices.Concat(stormColumns, accountColumns), run: func(r *run1, c *contestant) map[string]float64 {
		t := r.open(c, shape{streams: streams, together: true, counted: true})
		defer t.loop.Close()
		t.rollCall()
		t.send(1) // gives each stream a position
		t.must(t.loop.Run("a position for all", patience, t.loop.Settled))
		clockwork := t.asked(func() { t.must(t.loop.For(r.options.quiet)) })
		t.loop.Reset()
		t.send(missed)
		t.must(t.loop.For(50 * time.Millisecond)) // what the last of them leaves to be done belongs to it
		var took time.Duration
		var cost used
		profiled := t.profiled(time.Second)
		asked := t.asked(func() { took, cost = t.comeBack() })
		t.must(t.loop.For(time.Second / 4)) // what comes twice, comes after
		profiled()
		values := cost.values(streams)
		values["caught_up"], values["cpu_s"] = took.Seconds(), cost.server.Seconds()
		values["connect_p50"] = milliseconds(t.loop.Opening().Share(0.5))
		if t.site.counting() != nil {
			values["queries"] = t.queries(asked.Without(clockwork))
		}
		t.account(values, c)
		return values
	}}
}

// send publishes so many messages, one after the other.
func (t *trial) send(count int) {
	t.t.Helper()
	t.must(t.loop.Start(&generator.Load{To: t.to, Connections: 1, Count: count, Request: t.site.request}))
	t.must(t.loop.Run("the answers", patience, t.loop.Published))
	t.loop.Stop()
}

// comeBack has all streams come back, and waits until they have what they missed.
func (t *trial) comeBack() (took time.Duration, cost used) {
	t.t.Helper()
	before, began := t.used(), time.Now()
	t.must(t.loop.Reopen())
	err := t.loop.Run("all streams to catch up", patience/2, func() bool { return t.loop.Begun() && t.loop.Settled() })
	took, cost = time.Since(began), t.used().since(before)
	if err != nil {
		t.t.Log(err)
	}
	return took, cost
}

// asked counts what is asked of the database while f runs, where it counts.
func (t *trial) asked(f func()) (asked statements.Asked) {
	t.t.Helper()
	if t.site.counting() == nil {
		f()
		return asked
	}
	return statements.During(t.t, t.site.counting(), f)
}

// queries is how many there were; which ones, is told.
func (t *trial) queries(asked statements.Asked) float64 {
	t.t.Helper()
	var texts []string
	for _, text := range asked.Top(func(c statements.Count) float64 { return c.Calls }) {
		texts = append(texts, fmt.Sprintf("%.0f × %s", asked.ByText[text].Calls, statements.Short(text)))
	}
	if len(texts) > 0 {
		t.t.Logf("asked of the database: %s", strings.Join(texts, "; "))
	}
	return asked.Calls()
}
