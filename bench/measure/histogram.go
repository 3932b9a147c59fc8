package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// histogram prints when streams came back, second by second since the first node was asked to end.
func (h *herd) histogram(out io.Writer, began time.Time, restarts []restart, back time.Duration) {
	const widest = 60
	bins := make([]int, int(back.Seconds())+1)
	var opens, pauses, sentAway, failures, peak int
	for _, r := range h.readers {
		for _, at := range r.opens {
			if second := int(at.Sub(began).Seconds()); at.After(began) && second < len(bins) {
				bins[second]++
				opens++
			}
		}
		pauses, sentAway, failures = pauses+r.pauses, sentAway+r.sentAway, failures+r.failures
	}
	for _, n := range bins {
		peak = max(peak, n)
	}
	for i, r := range restarts {
		fmt.Fprintf(out, "  node %d: asked to end at %.1f s, gone at %.1f s, ready again at %.1f s\n", i+1, r.asked.Seconds(), r.gone.Seconds(), r.ready.Seconds())
	}
	fmt.Fprintf(out, "  streams: %d sent away by pause, %d paused at opening, %d refused or cut; %d opened again, at most %d in a second; all back at %.1f s\n",
		pauses, sentAway, failures, opens, peak, back.Seconds())
	rows := []string{"second\topened\t"}
	for second, n := range bins {
		rows = append(rows, fmt.Sprintf("%d\t%d\t  %s", second, n, strings.Repeat("#", (n*widest+peak-1)/max(peak, 1))))
	}
	table(out, rows...)
}
