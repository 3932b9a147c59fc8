package services

import (
	"fmt"
	"strconv"
	"testing"

	"belfry/internal/testpg"
)

// BenchmarkCheck is what it takes to know whose request it is, and that the session is not locked.
func BenchmarkCheck(b *testing.B) {
	n := newNode(b, sqliteAddress(b))
	n.person(b, "ann")
	_, cookie := n.signIn(b, "ann")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.sessions.Resolve(b.Context(), cookie); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is the opening of a stream whose person and session are in memory.
func BenchmarkOpen(b *testing.B) {
	n := newNode(b, sqliteAddress(b))
	n.person(b, "ann")
	_, cookie := n.signIn(b, "ann")
	b.ReportAllocs()
	for b.Loop() {
		opening, err := n.Open(b.Context(), StreamRequest{Cookie: cookie, Wants: ClassAll})
		if err != nil || opening.Stream == nil {
			b.Fatal(opening, err)
		}
		opening.Stream.close()
	}
}

// BenchmarkPublish is a notice to one person, durable, by 64 at a time: alone, and while the search index follows.
func BenchmarkPublish(b *testing.B) {
	for dialect, address := range map[string]func(testing.TB) string{SQLite: sqliteAddress, Postgres: testpg.Database} {
		for _, indexed := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/indexed=%v", dialect, indexed), func(b *testing.B) { benchmarkPublish(b, newNode(b, address(b)), indexed) })
		}
	}
}

func benchmarkPublish(b *testing.B, n *node, indexed bool) {
	for i := range 100 {
		n.person(b, "ann"+strconv.Itoa(i))
	}
	sender := n.system(b)
	notice := titled("Build 482 of payments failed")
	notice.Body = "Unit tests failed on branch main after four minutes: two of them timed out while they waited for the database."
	if indexed {
		ended := make(chan struct{})
		go func() { defer close(ended); n.search.Run(n.background) }()
		b.Cleanup(func() { n.deafen(); <-ended })
	}
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			n.publish(b, sender, Target{Users: []string{"ann" + strconv.Itoa(i%100)}}, notice)
		}
	})
}
