package journal_test

import (
	"fmt"
	"testing"

	"belfry/services/journal"
)

// BenchmarkAppendBatch appends as a request with many notices does.
func BenchmarkAppendBatch(b *testing.B) {
	const drafts = 500
	n := open(b, sqliteAddress(b))
	made := 0
	for b.Loop() {
		batch := make([]journal.Draft, drafts)
		for i := range batch {
			made++
			batch[i] = journal.Draft{Kind: "notice", Audiences: []string{fmt.Sprintf("user:%d", made%1000)}, Payload: []byte(`{"title":"Disk at 91 %","body":"of db1, and growing","severity":"warning","url":"/hosts/db-1"}`)}
		}
		if _, err := n.Append(b.Context(), batch...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(made)/b.Elapsed().Seconds(), "entries/s")
}
