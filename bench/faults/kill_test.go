package faults_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"belfry/bench/report"
	"belfry/bench/server"
	"belfry/internal/testpg"
)

// TestKillWhilePublishing crashes the server again and again in the middle of publishing.
func TestKillWhilePublishing(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) { killWhilePublishing(t, "PostgreSQL", testpg.NewCluster(t).DSN()) })
	t.Run("SQLite", func(t *testing.T) { killWhilePublishing(t, "SQLite", server.SQLite(t)) })
}

func killWhilePublishing(t *testing.T, kind, database string) {
	node := server.New(t, database)
	names, key := people(node)
	node.MustStart()
	l := newLoad(t, *steady, names, node.ByKey(key))
	l.read(node)
	dice := rand.New(rand.NewPCG(*seed, 0))
	began := time.Now()
	l.publish()
	var away []time.Duration
	for i := range *kills {
		l.awaitAcks(100)
		up := 300*time.Millisecond + time.Duration(dice.Int64N(int64(time.Second)))
		time.Sleep(up) // when the blow falls must not depend on what the server does
		l.up.end(l.ackCount.Load())
		l.down.Store(true)
		dead := time.Now()
		node.Kill()
		if err := node.Start(); err != nil {
			t.Fatal(err)
		}
		l.down.Store(false)
		l.awaitAcks(1)
		away = append(away, time.Since(dead))
		l.awaitStreams((i + 2) * len(l.readers)) // so that the next blow hits them all
		l.up.begin(l.ackCount.Load())
	}
	took := time.Since(began)
	b := l.finish()
	l.report("kill -9 on "+kind, b, took, away)
	if b.faults() > 0 || b.unknown > 0 {
		t.Errorf("the ledger does not balance: %v", b)
	}
	for _, reader := range l.readers {
		if reader.Resets > 0 || reader.Connections <= *kills {
			t.Errorf("a reader came back %d times and got %d resets", reader.Connections-1, reader.Resets)
		}
	}
}

// TestKillOneOfTwo crashes two nodes in turn; half of the publishers and readers are at each. While one is
// away the other has to go on.
func TestKillOneOfTwo(t *testing.T) {
	database := testpg.NewCluster(t).DSN()
	nodes := []*server.Node{server.New(t, database), server.New(t, database)}
	names, key := people(nodes[0])
	for _, node := range nodes {
		node.MustStart()
	}
	l := newLoad(t, *steady/2, names, nodes[0].ByKey(key), nodes[1].ByKey(key))
	l.read(nodes...)
	began := time.Now()
	l.publish()
	var away []time.Duration
	for i := range max(2, *kills/3) {
		l.awaitAcks(100)
		dead := time.Now()
		nodes[i%2].Kill()
		l.awaitAcks(100) // more than can have been on their way
		if err := nodes[i%2].Start(); err != nil {
			t.Fatal(err)
		}
		away = append(away, time.Since(dead))
		l.awaitStreams(len(l.readers) + (i+1)*len(l.people))
	}
	took := time.Since(began)
	b := l.finish()
	l.report("kill -9 on one of two nodes in turn", b, took, away)
	if b.faults() > 0 || b.unknown > 0 {
		t.Errorf("the ledger does not balance: %v", b)
	}
}

// report writes the ledger down.
func (l *load) report(title string, b balance, took time.Duration, away []time.Duration) {
	slices.Sort(away)
	text := fmt.Sprintf("%s: seed %d, %d faults in %.1f s, %d publishers, %d readers\n", title, l.seed, len(away), took.Seconds(), publishers, len(l.readers))
	text += fmt.Sprintf("  publishes    %d acked, %d refused, %d unknown; %d requests repeated (%d after 503), %d acks told again\n", b.acked, b.refused, b.unknown, l.retries, l.busy, b.replayed)
	text += fmt.Sprintf("  rate         %.0f/s over %.1f s up, offered %d/s; due while all publishers were busy: %d\n", l.up.rate(), l.up.took.Seconds(), l.rate, l.late.Load())
	text += fmt.Sprintf("  delivered    %d after dropping %d repeated ids\n", b.delivered, b.repeats)
	text += "  broken promises:"
	for k, count := range b.wrong {
		text += fmt.Sprintf(" %v %d", kind(k), count)
	}
	text += "\n"
	if len(away) > 0 {
		text += fmt.Sprintf("  away: median %d ms, longest %d ms\n", away[len(away)/2].Milliseconds(), away[len(away)-1].Milliseconds())
	}
	report.Write(l.t, "crashes", text)
}
