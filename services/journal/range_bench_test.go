package journal_test

import (
	"fmt"
	"testing"

	"belfry/internal/testpg"
	"belfry/services"
	"belfry/services/journal"
)

// BenchmarkReplayStep reads the first entries of a long replay: a step is to cost what it reads, however much lies between it
// and the head.
func BenchmarkReplayStep(b *testing.B) {
	const long, step = 100_000, 50
	for dialect, address := range map[string]func() string{
		services.SQLite:   func() string { return sqliteAddress(b) },
		services.Postgres: func() string { return testpg.Database(b) },
	} {
		n := open(b, address())
		series := "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
		n.run(b, series+"INSERT INTO entries (log_offset, kind, subject, audiences, payload, created_at) SELECT i, 'notice', i, 'everyone', '{}', 1 FROM n", long)
		n.run(b, series+"INSERT INTO recipients (audience, log_offset) SELECT 'everyone', i FROM n", long)
		grants := []journal.Grant{{Audience: "everyone"}, {Audience: "user:1"}}
		for _, head := range []int64{step, long} {
			b.Run(fmt.Sprintf("%s/head=%d", dialect, head), func(b *testing.B) {
				for b.Loop() {
					if entries, _, err := n.Range(b.Context(), 0, head, grants, step); err != nil || len(entries) != step {
						b.Fatalf("%d entries, %v", len(entries), err)
					}
				}
			})
		}
	}
}
