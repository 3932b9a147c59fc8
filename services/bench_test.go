package services

import (
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

// BenchmarkPublish is a notice to one person, durable, by 64 at a time.
func BenchmarkPublish(b *testing.B) {
	for dialect, address := range map[string]func(testing.TB) string{SQLite: sqliteAddress, Postgres: testpg.Database} {
		b.Run(dialect, func(b *testing.B) {
			n := newNode(b, address(b))
			for i := range 100 {
				n.person(b, "ann"+strconv.Itoa(i))
			}
			sender := n.system(b)
			b.SetParallelism(32)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					n.publish(b, sender, Target{Users: []string{"ann" + strconv.Itoa(i%100)}}, titled("x"))
				}
			})
		})
	}
}
