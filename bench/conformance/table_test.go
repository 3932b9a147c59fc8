package conformance_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"belfry/bench/cut"
	"belfry/bench/report"
	"belfry/bench/server"
)

const (
	reader   = "reader"
	lastly   = "that was all"
	patience = 60 * time.Second

	count     = 1000
	cuts      = 5
	apart     = 8 << 10               // bytes: a connection has begun before it is cut
	publishes = 10 * time.Millisecond // one each; so some are read live, some again after a cut
)

// received is what one client got.
type received struct {
	mu     sync.Mutex
	events []event
	all    chan struct{} // closed with the last notice
	once   sync.Once
}

func (r *received) add(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	if strings.Contains(e.Data, lastly) || e.Type == "closed" || e.Type == "error" {
		r.once.Do(func() { close(r.all) })
	}
}

// TestClients has every client follow the same notices, each through a proxy of its own that cuts it.
func TestClients(t *testing.T) {
	node := server.New(t, server.SQLite(t), "HEARTBEAT=1s", "TICKET_TTL=10m")
	node.AddUser(reader)
	key := node.AddKey("bench", "notices:write")
	node.MustStart()
	as, all := node.Login(t, reader), notices(*seed, count)
	total := size(t, all)

	list := append([]client{{name: "strict, never cut", version: "-", start: startStrict}}, clients(t)...)
	books := make([]*received, len(list))
	proxies := make([]*cut.Proxy, len(list))
	for i, c := range list {
		books[i] = &received{all: make(chan struct{})}
		target, points := node.Address(), cut.Points(*seed+uint64(i), cuts, apart, total*9/10, apart)
		if i == 0 {
			points = nil
		}
		if c.page {
			h := newHost(t, node.Base)
			target = h.Listener.Addr().String()
			go hand(t, h, books[i])
		}
		proxies[i] = cut.New(t, target, *seed+uint64(i), points)
		proxies[i].SpareIDs = c.takesIDEarly
		c.start(t, "http://"+proxies[i].Address, as, books[i].add)
	}
	for i, c := range list {
		books[i].await(t, c.name+" to begin", func(e event) bool { return e.Type == "hello" })
	}
	began := time.Now()
	cursors := publish(t, node.ByKey(key), all)
	for i, c := range list {
		select {
		case <-books[i].all:
		case <-time.After(patience):
			t.Errorf("%s has not got the last notice", c.name)
		}
	}
	took := time.Since(began)
	table(t, list, books, proxies, all, cursors, took)
}

// hand passes on what the pages of a host application report.
func hand(t *testing.T, h *host, to *received) {
	for {
		select {
		case e := <-h.events:
			to.add(e)
		case <-t.Context().Done():
			return
		}
	}
}

// await waits for an event.
func (r *received) await(t *testing.T, what string, is func(event) bool) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for seen := 0; ; {
		r.mu.Lock()
		for ; seen < len(r.events); seen++ {
			if is(r.events[seen]) {
				r.mu.Unlock()
				return
			}
		}
		r.mu.Unlock()
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s; got %d events", what, seen)
		}
	}
}

// size is about what all notices take on the wire.
func size(t *testing.T, all []notice) (total int64) {
	for i := range all {
		text, err := json.Marshal(all[i])
		if err != nil {
			t.Fatal(err)
		}
		total += int64(len(text))
	}
	return total
}

// publish publishes all and a last one, and gives the cursors under which they are to come.
func publish(t *testing.T, by *server.Caller, all []notice) []string {
	t.Helper()
	to := map[string]any{"users": []string{reader}}
	cursors := make([]string, len(all))
	tick := time.NewTicker(publishes)
	defer tick.Stop()
	for i := range all {
		<-tick.C
		cursors[i] = by.Publish(t, map[string]any{"to": to, "title": all[i].Title, "body": all[i].Body, "data": all[i].Data}).Cursor
	}
	by.Publish(t, map[string]any{"to": to, "title": lastly})
	return cursors
}

// verdict is one line of the table.
type verdict struct{ received, lost, disordered, duplicates, repeats, resumes, unequal, faults int }

func (v verdict) bad() bool {
	return v.received != count || v.lost+v.disordered+v.duplicates+v.unequal+v.faults > 0
}

// judge compares what a client got with what was published, and with the bytes that the strict
// reader got.
func judge(events []event, all []notice, cursors []string, bytes map[string]string) (v verdict) {
	at := map[string]int{} // where in the order
	for i, cursor := range cursors {
		at[cursor] = i
	}
	seen, last := map[string]bool{}, -1
	for _, e := range events {
		switch e.Type {
		case "hello":
			if strings.Contains(e.Data, `"resumed":true`) {
				v.resumes++
			}
			continue
		case "notice":
		case "reset", "closed", "error":
			v.faults++
			continue
		default:
			continue
		}
		if strings.Contains(e.Data, lastly) {
			continue
		}
		i, known := at[e.ID]
		switch {
		case seen[e.ID]:
			v.repeats++
			continue
		case !known:
			v.duplicates++ // under an id that was never given
			continue
		case i < last:
			v.disordered++
		}
		seen[e.ID], last = true, max(last, i)
		v.received++
		var got notice
		if err := json.Unmarshal([]byte(e.Data), &got); err != nil || got != all[i] || e.Data != bytes[e.ID] {
			v.unequal++
		}
	}
	v.lost = len(cursors) - len(seen)
	return v
}

func table(t *testing.T, list []client, books []*received, proxies []*cut.Proxy, all []notice, cursors []string, took time.Duration) {
	t.Helper()
	bytes := map[string]string{}
	for _, e := range books[0].events {
		bytes[e.ID] = e.Data
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d notices of hostile text, %d cuts of each connection, seed %d, %.1f s\n", count, cuts, *seed, took.Seconds())
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "client\tversion\treceived\tlost\tout of order\tduplicates\tids repeated\tcuts\tresumes\tbytes equal")
	for i, c := range list {
		books[i].mu.Lock()
		v := judge(books[i].events, all, cursors, bytes)
		books[i].mu.Unlock()
		equal := "all"
		if v.unequal > 0 {
			equal = fmt.Sprintf("not %d", v.unequal)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", c.name, c.version, v.received, v.lost, v.disordered, v.duplicates, v.repeats, proxies[i].Cuts(), v.resumes, equal)
		// A hello that came just before a reset a busy client never reads; the resume after that is seen.
		if v.bad() || i > 0 && (proxies[i].Cuts() != cuts || v.resumes < cuts-proxies[i].Resets()) {
			t.Errorf("%s: %+v after %d cuts, %d of them resets", c.name, v, proxies[i].Cuts(), proxies[i].Resets())
		}
	}
	_ = w.Flush()
	report.Write(t, "clients", text.String())
}
