package services

import (
	"testing"

	"gorm.io/gorm"

	"belfry/internal/testpg"
	"belfry/services/journal"
)

// TestPurgeOfMany: what is past keeping goes, however much it is, and what is not stays.
func TestPurgeOfMany(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		const many = 2*purgeBatch + 1
		series := "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
		now := n.number(t, "SELECT "+n.db.now())
		n.run(t, "UPDATE log_head SET head = ?, trimmed = ?", many, many-1) // one notice is left
		n.run(t, series+"INSERT INTO notice_states (user_id, notice_id, read_at) SELECT ?, i, CASE WHEN i % 2 = 0 THEN 1 END FROM n", many, l.UserID)
		n.run(t, series+"INSERT INTO idempotency_keys (principal, key, digest, subject, created_at) SELECT 'a', CAST(i AS text), '', 1, CASE i WHEN 1 THEN CAST(? AS bigint) ELSE 0 END FROM n", many, now)
		n.run(t, "DELETE FROM audit")
		n.run(t, series+`INSERT INTO audit (at, action, actor_type, actor_name, actor_session, username, session, key_name, ip, user_agent, detail)
			SELECT CASE i WHEN 1 THEN CAST(? AS bigint) ELSE 0 END, '', '', '', '', '', '', '', '', '', '{}' FROM n`, many, now)
		must(t, n.house.purge(t.Context()))
		for _, table := range []string{"notice_states", "idempotency_keys", "audit"} {
			if left := n.number(t, "SELECT count(*) FROM "+table); left != 1 {
				t.Errorf("%d left in %s, want 1", left, table)
			}
		}
	})
}

// TestPurgeLeavesWhatIsUsedAnew: a key that is used again while old ones are removed stays, and its user is not waited for.
func TestPurgeLeavesWhatIsUsedAnew(t *testing.T) {
	t.Parallel()
	n := newNode(t, testpg.Database(t))
	// As many as make PostgreSQL go to where the old ones lie.
	n.run(t, "INSERT INTO idempotency_keys (principal, key, digest, subject, created_at) SELECT 'a', i, '', 0, now_ms() FROM generate_series(1, 20000) i")
	n.run(t, "INSERT INTO idempotency_keys (principal, key, digest, subject, created_at) VALUES ('a', 'used', '', 1, 0), ('a', 'old', '', 2, 0)")
	keys := purging{"idempotency_keys", "created_at < " + n.db.moment() + " - ?", "created_at", []any{journal.OnceWindow.Milliseconds()}}
	must(t, n.db.Write.WithContext(t.Context()).Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("UPDATE idempotency_keys SET created_at = now_ms() WHERE key = 'used'").Error; err != nil {
			return err
		}
		return n.house.remove(t.Context(), &keys)
	}))
	must(t, n.house.remove(t.Context(), &keys))
	if left := n.number(t, "SELECT sum(subject) FROM idempotency_keys"); left != 1 {
		t.Errorf("%d is left, want the key that was used", left)
	}
}
