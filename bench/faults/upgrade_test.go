package faults_test

import (
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"belfry/bench/front"
	"belfry/bench/server"
	"belfry/bench/stream"
	"belfry/internal/testpg"
)

var from = flag.String("from", "", "an older build of belfry, whose nodes are replaced by this one under load, and come back")

// TestUpgrade wants that nothing is lost on the way from an older version to this one.
func TestUpgrade(t *testing.T) {
	t.Run("PostgreSQL from the first schema", func(t *testing.T) {
		t.Parallel()
		database := testpg.Database(t)
		load := exec.CommandContext(t.Context(), "psql", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", "testdata/first-postgres.sql", database)
		query := exec.CommandContext(t.Context(), "psql", "-qtA", "-c", askEpoch, database)
		fromFirstSchema(t, 2, first{database, load, query, "bfk_DxrBwmhOGvRMyVXRKYRLgqnfVnLOZTW7AtryzGXzDgk"})
	})
	t.Run("SQLite from the first schema", func(t *testing.T) {
		t.Parallel()
		database := server.SQLite(t)
		file := strings.TrimPrefix(database, "sqlite:")
		load := exec.CommandContext(t.Context(), "sqlite3", file, ".read testdata/first-sqlite.sql")
		query := exec.CommandContext(t.Context(), "sqlite3", file, askEpoch)
		fromFirstSchema(t, 1, first{database, load, query, "bfk_FZtUVgcqENjzy6OF3F6KeGeAZOT9vDvCuDI4F4IEHVM"})
	})
	if *from != "" {
		t.Run("two nodes, forth and back", func(t *testing.T) { replaceNodes(t, *from) })
	}
}

const askEpoch = "SELECT epoch FROM log_head"

// first is a database of the first schema: how it is loaded, how its epoch is asked for, and a key that it has.
type first struct {
	database    string
	load, epoch *exec.Cmd
	key         string
}

// old are the letters that the first version has written, and for whom they are.
func old(people []string) map[letter][]string {
	letters := map[letter][]string{}
	for n := 1; n <= 24; n++ {
		which := letter{2000, n}
		switch n % 4 {
		case 0:
			letters[which] = people
		case 1:
			letters[which] = people[n%8 : n%8+1]
		case 2:
			letters[which] = odd(people)
		case 3:
			letters[which] = []string{people[0], people[n%8]}
		}
	}
	return letters
}

// fromFirstSchema starts nodes of this version at once while publishers already knock. One node brings the schema up to
// date. Readers begin where the log does: what the first version wrote has to come as well.
func fromFirstSchema(t *testing.T, nodeCount int, db first) {
	if out, err := db.load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	epoch, err := db.epoch.Output()
	if err != nil {
		t.Fatal(err)
	}
	nodes, callers := make([]*server.Node, nodeCount), make([]*server.Caller, nodeCount)
	for i := range nodes {
		nodes[i] = server.New(t, db.database, append(strings.Fields(settings), "RETENTION=876000h")...) // the letters are of 2026
		callers[i] = nodes[i].ByKey(db.key)
	}
	if status, _, _ := nodes[0].Run("", "migrate", "status"); strings.Count(status, "applied") != 1 {
		t.Fatalf("it is not the first schema:\n%s", status)
	}
	var names []string
	for i := range users {
		names = append(names, fmt.Sprintf("ringer%d", i))
	}
	l := newLoad(t, lowRate, names, callers...)
	for which, to := range old(names) {
		l.note(which, sent{to: to, outcome: acked})
	}
	l.publish()
	var starting sync.WaitGroup
	for _, node := range nodes {
		starting.Go(func() {
			if err := node.Start(); err != nil {
				t.Error(err)
			}
		})
	}
	if starting.Wait(); t.Failed() {
		t.FailNow()
	}
	for _, name := range names {
		as := nodes[0].Login(t, name)
		for k, node := range nodes {
			reader := stream.New(node.Base, "/sse/stream", as.Cookie)
			reader.LastID = strings.TrimSpace(string(epoch)) + "-0"
			l.follow(reader, fmt.Sprintf("%s/%d", name, k))
		}
	}
	l.awaitStreams(len(l.readers))
	l.awaitAcks(lowRate)
	l.balances(nodes[0])
	if status, _, _ := nodes[0].Run("", "migrate", "status"); nodeCount > 1 && strings.Contains(status, "pending") {
		t.Errorf("the schema is not up to date:\n%s", status)
	}
}

// balances ends the load and wants every promise kept, in the streams and in the inboxes, and nobody told to load anew.
func (l *load) balances(at *server.Node) {
	l.t.Helper()
	b, wrong := l.close(func() {
		for _, name := range l.people {
			if err := l.lookInto(name, at.Login(l.t, name)); err != nil {
				l.t.Error(err)
			}
		}
	})
	for _, found := range wrong {
		l.t.Error(found)
	}
	for reader, book := range l.books {
		if len(book.resets) > 0 {
			l.t.Errorf("%s had to load anew", reader)
		}
	}
	l.t.Log(b)
}

// replaceNodes has two nodes of an older build behind nginx serve a load, replaces them one by one, and then goes back. The
// schema is brought up to date under the older ones, and stays so.
func replaceNodes(t *testing.T, older string) {
	newer, err := server.Binary()
	if err != nil {
		t.Fatal(err)
	}
	database := testpg.Database(t)
	nodes := make([]*server.Node, 2)
	for i := range nodes {
		nodes[i] = server.New(t, database, append(strings.Fields(settings), "TRUSTED_PROXIES=127.0.0.1/32")...)
		nodes[i].Use(older)
	}
	names, key := people(nodes[0])
	for _, node := range nodes {
		node.MustStart()
	}
	proxy := front.New(t, nodes[0].Address(), nodes[1].Address())
	as := nodes[0].ByKey(key)
	l := newLoad(t, *rate, names, as.Via(proxy.Base, proxy.Client(answerTimeout)), as, nodes[1].ByKey(key))
	l.read(nodes...)
	l.readThrough(proxy, nodes[0])
	l.publish()
	l.awaitAcks(*rate)
	began := time.Now()
	l.forgives.Store(true)
	for _, build := range []string{newer, older} {
		for _, node := range nodes {
			replace(t, node, build)
			l.awaitAcks(2 * *rate) // a third of the publishers are at each node, and the last third is at nginx
		}
		l.forgives.Store(false)
	}
	t.Logf("forth and back in %v; %d times 500 of the older build while the schema grew", time.Since(began).Round(time.Second), l.forgiven.Load())
	l.balances(nodes[0])
}

// replace ends a node as the service manager does, and starts another build in its place.
func replace(t *testing.T, node *server.Node, build string) {
	t.Helper()
	began := time.Now()
	if err := node.Process().Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := node.Process().ExitCode(); code != 0 {
		t.Errorf("exit %d", code)
	}
	node.Use(build)
	node.MustStart()
	t.Logf("%s is replaced after %v", node.Base, time.Since(began).Round(10*time.Millisecond))
}

// readThrough opens a stream of each user through nginx and returns when all of them have begun.
func (l *load) readThrough(proxy *front.Nginx, at *server.Node) {
	l.t.Helper()
	for _, name := range l.people {
		reader := stream.New(proxy.Base, "/sse/stream", at.Login(l.t, name).Cookie)
		reader.Client, reader.Proxied, reader.Wait = *proxy.Client(0), true, comeBack
		l.follow(reader, name+"/nginx")
	}
	l.awaitStreams(len(l.readers))
}
