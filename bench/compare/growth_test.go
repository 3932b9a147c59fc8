package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"belfry/bench/generator"
	"belfry/bench/server"
)

// What grows, at sizes that tell nothing but that each figure is there.
func TestGrowth(t *testing.T) {
	t.Parallel()
	p := planOf(t, "-scenarios=growth-streams,growth-rows,growth-groups", "-servers=belfry-sqlite", "-rounds=1", "-slices=2", "-duration=50ms", "-warmup=20ms",
		"-growth-streams=3,6", "-growth-rows=0,300", "-growth-groups=1,40", "-growth-rate=50", "-rate=50", "-appends=40", "-people=50", "-group-streams=5")
	r := p.measure(io.Discard, func(name string, body func(testing.TB)) { t.Run(name, func(t *testing.T) { body(t) }) })
	if r.failed() || len(r.Results) != 3*2 {
		t.Errorf("%+v", r.Results)
	}
	for _, s := range p.scenarios {
		for _, column := range s.columns {
			if values := r.values(s, "belfry-sqlite", column); len(values) != 2 || values[0] <= 0 {
				t.Errorf("%s: %v for %q (%s)", s.name, values, column.title, column.key)
			}
		}
	}
}

// A log that was written beforehand is one that the node itself could have written: everybody finds theirs in it, and
// the next notice follows it.
func TestLogWrittenBeforehand(t *testing.T) {
	t.Parallel()
	for _, b := range []*belfry{{sqlite: true}, {}} {
		const rows, people = 1200, 50
		s := b.start(&run1{t: t, options: &options{}}, shape{streams: 1, people: people, log: true, rows: rows})
		reader := (&server.Caller{Cookie: "belfry=" + s.cookies[0]}).At(s.node)
		want := newestEach*3 + rows/1000 + rows/100 // its own, everyone's and the group's; of the old ones everyone's and the group's
		for n := 1; n <= rows; n++ {
			if n*7919%people == 0 && n%1000 != 0 && n%100 != 1 {
				want++
			}
		}
		var page struct {
			Items []struct {
				ID    int64
				Title string
			}
			Next   *string `json:"next_before"`
			Unread int
		}
		found, before := 0, ""
		for {
			reader.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notices?limit=200"+before, nil, &page)
			found += len(page.Items)
			if page.Next == nil {
				break
			}
			before = "&before=" + *page.Next
		}
		if found != want || page.Unread != 3*unreadCycles || page.Items[0].Title == "" {
			t.Errorf("%+v: %d notices, %d unread; want %d and %d", b, found, page.Unread, want, 3*unreadCycles)
		}
		publish(t, s, generator.Message{To: 0, Mark: generator.Mark{Sent: 1}})
		reader.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notices?limit=1", nil, &page)
		if id := page.Items[0].ID; id != rows+newest+1 || page.Unread != 3*unreadCycles+1 {
			t.Errorf("the next notice is %d, with %d unread", id, page.Unread)
		}
	}
}

func TestSizesGrow(t *testing.T) {
	for list, good := range map[string]bool{"1,2": true, "0": true, "2,1": false, "x": false, "-1": false} {
		if _, err := growthNamed("growth-rows", &options{growthRows: list}); (err == nil) != good {
			t.Errorf("%s: %v", list, err)
		}
	}
	if _, err := growthNamed("growth-hair", &options{}); err == nil || !strings.Contains(err.Error(), "growth-hair") {
		t.Error(err)
	}
	if got := count(1000) + count(10_000_000) + count(1500) + count(0); got != "1 k10 M15000" {
		t.Error(got)
	}
}
