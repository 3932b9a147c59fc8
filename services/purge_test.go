package services

import "testing"

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
