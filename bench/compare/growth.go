package main

import (
	"fmt"
	"slices"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/generator"
)

// figure is what is told of each size of something that grows.
type figure struct {
	title, key string
	decimals   int
}

// grows is what a growth is measured at.
type grows struct {
	of      string // what there is more of
	sizes   []int
	figures []figure
}

// grown is a server at one size. It is measured again and again.
type grown func() map[string]float64

// resume reads what came while the other sizes were measured: pings, and the ends of connections that were idle.
func (t *trial) resume() {
	t.t.Helper()
	t.must(t.loop.For(time.Second / 5))
}

// growth is the same at several sizes: the figure at the first one, and how many times that it is at the others. All
// servers run at once and are measured in turn, so that a machine whose speed moves moves all of them.
func growth(name, of string, sizes []int, figures []figure, begin func(r *run1, c *contestant, size int) grown) []*scenario {
	s := &scenario{name: name, grows: &grows{of, sizes, figures}}
	for _, f := range figures {
		for i, size := range sizes {
			c := column{f.title + " at " + count(size) + " " + of, at(f.key, size), f.decimals, false}
			if i > 0 {
				c = column{"× at " + count(size), at(f.key+"_x", size), 2, false}
			}
			s.columns = append(s.columns, c)
		}
	}
	s.run = func(r *run1, c *contestant) map[string]float64 {
		servers := make([]grown, len(sizes))
		for i, size := range sizes {
			servers[i] = begin(r, c, size)
		}
		for range r.options.slices {
			values := map[string]float64{}
			for i, size := range sizes {
				for key, value := range servers[i]() {
					values[at(key, size)] = value
					if first := values[at(key, sizes[0])]; first > 0 {
						values[at(key+"_x", size)] = value / first
					}
				}
			}
			r.slices = append(r.slices, values)
		}
		return nil
	}
	return ofBelfry(s)
}

func at(key string, size int) string { return fmt.Sprintf("%s@%d", key, size) }

// count is a number as people say it.
func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%d M", n/1_000_000)
	case n >= 1_000 && n%1_000 == 0:
		return fmt.Sprintf("%d k", n/1_000)
	}
	return fmt.Sprint(n)
}

// moreStreams is the cost of a delivery when more streams get each notice.
func moreStreams(sizes []int) []*scenario {
	figures := []figure{{"µs/delivery", "us", 2}, {"with database: µs", "us_with_database", 2}, {"p99 ms", "latency_p99", 2}}
	return growth("growth-streams", "streams", sizes, figures, func(r *run1, c *contestant, size int) grown {
		t := r.open(c, shape{streams: size, together: true})
		r.t.Cleanup(t.loop.Close)
		t.rollCall()
		t.loop.Pause = r.options.pause
		return func() map[string]float64 {
			t.resume()
			return t.deliveries(r.options.growthRate)
		}
	})
}

// deliveries is the cost of one at a rate of notices to all.
func (t *trial) deliveries(rate float64) map[string]float64 {
	t.t.Helper()
	cost, tally := t.forAWhile(&generator.Load{To: t.to, Connections: 4, Rate: rate, Request: t.site.request})
	t.must(t.loop.Run("the last deliveries", patience, t.loop.Settled))
	values := cost.values(tally.Delivered)
	latencies(values, "latency", &tally.Latency)
	t.must(t.loop.Faults())
	return values
}

// moreGroups is the cost of a delivery to one group, and of the first events of a stream, when people are in more groups.
func moreGroups(sizes []int) []*scenario {
	figures := []figure{{"µs/delivery", "us", 2}, {"µs/reconnect", "hello_us", 1}, {"µs/first open", "first_us", 1}}
	return growth("growth-groups", "groups", sizes, figures, func(r *run1, c *contestant, size int) grown {
		s := shape{streams: r.options.groupStreams, together: true, groups: size}
		t := r.begin(c, s)
		r.t.Cleanup(t.loop.Close)
		before := t.used()
		t.openAll(s)
		first := t.used().since(before).values(s.streams)["us"]
		t.rollCall()
		t.send(1) // gives each stream a position
		t.must(t.loop.Run("a position for all", patience, t.loop.Settled))
		return func() map[string]float64 {
			t.resume()
			values := t.deliveries(r.options.rate)
			t.loop.Reset()
			t.must(t.loop.For(time.Second / 4)) // for the server to see it
			_, cost := t.comeBack()
			values["hello_us"], values["first_us"] = cost.values(s.streams)["us"], first
			return values
		}
	})
}

// moreRows is the cost of appending to a log, and of a page of an inbox, when more lies beneath.
func moreRows(sizes []int) []*scenario {
	figures := []figure{{"µs/append", "append_us", 1}, {"ack p50 ms", "append_p50", 2}, {"ack p99 ms", "append_p99", 2},
		{"µs/page", "page_us", 0}, {"page p50 ms", "page_p50", 2}, {"page p99 ms", "page_p99", 2}}
	return growth("growth-rows", "rows", sizes, figures, func(r *run1, c *contestant, size int) grown {
		// Who reads is not written to, or the inboxes would grow while they are measured.
		t := r.open(c, shape{streams: 2 * crowd.Readers, people: r.options.people, log: true, rows: size})
		r.t.Cleanup(t.loop.Close)
		t.rollCall()
		t.to = t.to[crowd.Readers:]
		return func() map[string]float64 {
			t.resume()
			values := map[string]float64{}
			var appended generator.Histogram
			for key, value := range t.spent(r.options.appends, &generator.Load{To: t.to, Connections: 4, Request: t.site.request}) {
				values["append_"+key] = value
			}
			appended = t.loop.Tally.Ack
			latencies(values, "append", &appended)
			var pages generator.Histogram
			for key, value := range t.spent(r.options.appends/4, &generator.Load{Connections: 2, Call: func(b []byte, n int) []byte {
				return t.site.belfry.Call(b, "GET", "/api/v1/notices", n%crowd.Readers, "")
			}, Answered: func(_, _ int, after time.Duration) { pages.Add(after) }}) {
				values["page_"+key] = value
			}
			latencies(values, "page", &pages)
			return values
		}
	})
}

// spent is the CPU time of so many requests, server and database together.
func (t *trial) spent(count int, load *generator.Load) map[string]float64 {
	t.t.Helper()
	load.Count = count
	t.loop.Tally = &generator.Tally{}
	before := t.used()
	t.must(t.loop.Start(load))
	t.must(t.loop.Run("the answers", patience, t.loop.Published))
	cost := t.used().since(before)
	t.loop.Stop()
	t.must(t.loop.Run("the last deliveries", patience, t.loop.Settled))
	t.must(t.loop.Faults())
	values := cost.values(count)
	return map[string]float64{"us": values["us_with_database"], "server_us": values["us"]}
}

// growthNamed are the scenarios that only come when they are asked for: they take long, and a lot of room.
func growthNamed(name string, o *options) ([]*scenario, error) {
	var list string
	var of func(sizes []int) []*scenario
	switch name {
	case "growth-streams":
		list, of = o.growthStreams, moreStreams
	case "growth-rows":
		list, of = o.growthRows, moreRows
	case "growth-groups":
		list, of = o.growthGroups, moreGroups
	default:
		return nil, fmt.Errorf("no scenario is named %q", name)
	}
	sizes, err := numbers(list, 0)
	if err == nil && !slices.IsSorted(sizes) {
		err = fmt.Errorf("%s: sizes have to grow", name)
	}
	if err != nil {
		return nil, err
	}
	return of(sizes), nil
}
