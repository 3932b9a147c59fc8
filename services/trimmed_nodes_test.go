package services

import (
	"strconv"
	"testing"
	"time"

	"belfry/internal/testpg"
)

// TestNodesTrimAtOnce: of several nodes that find the same entries past their time none fails.
func TestNodesTrimAtOnce(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	nodes := []*node{newNode(t, address), newNode(t, address)}
	const many, audiences = 10_000, 300
	nodes[0].run(t, `INSERT INTO entries (log_offset, kind, subject, audiences, payload, created_at)
		SELECT i, 'account', i, 'user:' || i % `+strconv.Itoa(audiences)+`, '{}', 1 FROM generate_series(1, ?) i`, many)
	nodes[0].run(t, "INSERT INTO recipients (audience, log_offset) SELECT audiences, log_offset FROM entries")
	nodes[0].run(t, "UPDATE log_head SET head = ?", many)
	atOnce(len(nodes), func(i int) {
		if _, err := nodes[i].journal.Trim(t.Context(), time.Now().UnixMilli()); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	})
	if left := nodes[0].number(t, "SELECT count(*) FROM recipients") + nodes[0].number(t, "SELECT count(*) FROM entries"); left != 0 {
		t.Errorf("%d rows are left", left)
	}
}
