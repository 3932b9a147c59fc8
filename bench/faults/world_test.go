package faults_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/bench/front"
	"belfry/bench/server"
	"belfry/bench/stream"
)

// Of every node in a world. The sessions outlast the longest run.
const (
	heartbeat = time.Second
	settings  = "HEARTBEAT=1s DRAIN=2s SESSION_IDLE=24h SESSION_MAX=48h"
)

// silence is after how long without an event a connection counts as dead: 2.5 heartbeats, and something for a busy machine.
const silence = 5*heartbeat/2 + time.Second/2

// answerTimeout is how long a publisher waits for an answer. It is more than a node's own deadline for a commit.
const answerTimeout = 12 * time.Second

// member is a node with links on all its sides.
type member struct {
	*server.Node
	query  *link // to the database
	listen *link // to what carries the hints
	door   *link // from clients
	inside string
}

// world is a database, two nodes and nginx, with links between them that can be broken, and people.
type world struct {
	*load
	cluster *cluster
	admin   *sql.DB // straight to the database
	nodes   []*member
	nginx   *front.Nginx
	cookies map[string]*server.Caller // by user
	bus     *bus                      // nil when the nodes announce by the database
}

// site is what a world is to be like.
type site struct {
	people, rate int
	cluster      *cluster
	settings     string // of the nodes, beside the usual
	herd         int    // streams of each person, all through nginx; 0 = one there and one at each node
	nats         bool   // the nodes announce by NATS
}

// newWorld starts everything but the publishers. Each person has three streams: through nginx, and at each node.
func newWorld(t testing.TB, like site) *world {
	t.Helper()
	w := &world{cluster: like.cluster, admin: openAdmin(t, like.cluster), cookies: map[string]*server.Caller{}}
	if like.nats {
		w.bus = newBus(t)
	}
	for i := range 2 {
		w.nodes = append(w.nodes, w.newMember(t, fmt.Sprint(i), like.settings))
	}
	key := w.nodes[0].AddKey("load", "notices:write,users:write")
	for _, node := range w.nodes {
		node.MustStart()
	}
	w.nginx = front.New(t, w.nodes[0].door.Listen, w.nodes[1].door.Listen)
	names := w.populate(t, key, like.people)
	w.load = newLoad(t, like.rate, names, w.waysIn(key)...)
	w.giveUp = 4
	w.openStreams(like.herd)
	return w
}

// openAdmin goes straight to a database.
func openAdmin(t testing.TB, c *cluster) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", c.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (w *world) newMember(t testing.TB, name, more string) *member {
	t.Helper()
	dsn := w.cluster.DSN()
	m := &member{query: newLink(t, "query "+name, hostOf(dsn)), inside: server.FreeAddress(t)}
	var announcing string
	if w.bus != nil {
		m.listen = newLink(t, "listen "+name, w.bus.address)
		announcing = "NATS_URL=nats://" + m.listen.Listen
	} else {
		m.listen = newLink(t, "listen "+name, hostOf(dsn))
		announcing = "DATABASE_LISTEN_URL=" + m.listen.dsn(dsn)
	}
	m.Node = server.New(t, m.query.dsn(dsn), append(strings.Fields(settings+" "+more), announcing, "INTERNAL_LISTEN="+m.inside)...)
	if len(w.nodes) > 0 && *beside != "" {
		m.Use(*beside)
	}
	m.door = newLink(t, "door "+name, m.Address())
	return m
}

// hostOf is the host and port of a DSN.
func hostOf(dsn string) string {
	_, rest, _ := strings.Cut(dsn, "@")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// dsn is the same database through the link.
func (l *link) dsn(of string) string { return strings.Replace(of, hostOf(of), l.Listen, 1) }

// populate makes the people, a few at a time: hashing passwords is what takes long.
func (w *world) populate(t testing.TB, key string, count int) []string {
	t.Helper()
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("ringer%d", i)
	}
	var working sync.WaitGroup
	var mu sync.Mutex
	const at = 4
	for k := range at {
		working.Go(func() {
			node := w.nodes[k%len(w.nodes)]
			for i := k; i < count; i += at {
				node.ByKey(key).PostUsers(t, names[i])
				as := node.Login(t, names[i])
				mu.Lock()
				w.cookies[names[i]] = as
				mu.Unlock()
			}
		})
	}
	working.Wait()
	if t.Failed() {
		t.FailNow()
	}
	w.nodes[0].AddGroup("odd", odd(names)...)
	return names
}

// waysIn are the ways to publish: through nginx, and to each node.
func (w *world) waysIn(key string) []*server.Caller {
	as := w.nodes[0].ByKey(key)
	ways := []*server.Caller{as.Via(w.nginx.Base, w.nginx.Client(answerTimeout))}
	for _, node := range w.nodes {
		client := &http.Client{Timeout: answerTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: publishers}}
		ways = append(ways, as.Via("http://"+node.door.Listen, client))
	}
	if *oneNode {
		return ways[1:2]
	}
	return ways
}

func (w *world) openStreams(herd int) {
	w.t.Helper()
	ways := []string{w.nginx.Base, "http://" + w.nodes[0].door.Listen, "http://" + w.nodes[1].door.Listen}
	if herd > 0 {
		ways = slices.Repeat(ways[:1], herd)
	}
	tls := w.nginx.Client(0)
	for _, name := range w.people {
		for k, base := range ways {
			reader := stream.New(base, "/sse/stream", w.cookies[name].Cookie)
			reader.Silence, reader.Wait, reader.Proxied = silence, comeBack, base == w.nginx.Base
			if reader.Proxied {
				reader.Client = *tls
			}
			w.follow(reader, fmt.Sprintf("%s/%d", name, k))
		}
		// A few at a time: how a herd comes is what a scenario is about, not how it is made.
		w.awaitStreams(max(0, len(w.readers)-atOnceOpened))
	}
	w.awaitStreams(len(w.readers))
}

// atOnceOpened is how many streams may be on their way at the beginning.
const atOnceOpened = 100

// comeBack is what our client library does, ten times as fast: full jitter, up to a second; and as long as it was asked to.
func comeBack(failed int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	return time.Duration(rand.Int64N(int64(min(time.Second, 20*time.Millisecond<<min(failed, 6)))))
}

// end stops the load, and reads every inbox when all streams have everything.
func (w *world) end() (b balance, wrong []anomaly, after []vitals) {
	b, wrong = w.close(func() {
		for name, as := range w.cookies {
			if err := w.lookInto(name, as.At(w.nodes[0].Node)); err != nil {
				w.breaks(broken, name, "%v", err)
			}
		}
		after = w.vitalsOfAll()
	})
	return b, wrong, after
}

// vitals are what a process holds.
type vitals struct {
	rss, fds, goroutines, streams float64
}

func (v vitals) String() string {
	return fmt.Sprintf("%.0f MiB, %.0f descriptors, %.0f goroutines", v.rss/(1<<20), v.fds, v.goroutines)
}

// vitals asks a node's internal address.
func (m *member) vitals(ctx context.Context) (v vitals, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.inside+"/metrics", nil)
	if err != nil {
		return v, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return v, err
	}
	defer response.Body.Close()
	wanted := map[string]*float64{"process_resident_memory_bytes": &v.rss, "process_open_fds": &v.fds, "go_goroutines": &v.goroutines,
		"belfry_streams_open": &v.streams}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if into := wanted[name]; into != nil {
			if _, err := fmt.Sscan(value, into); err != nil {
				return v, err
			}
		}
	}
	return v, lines.Err()
}

// vitalsOfAll asks all nodes, once their streams stand again.
func (w *world) vitalsOfAll() (all []vitals) {
	for _, node := range w.nodes {
		v, err := node.vitals(context.Background())
		if err != nil {
			w.breaks(broken, node.Base, "its metrics: %v", err)
		}
		all = append(all, v)
	}
	return all
}
