package services

import (
	"testing"

	"belfry/models"
)

// TestLargeGroup: a group goes with all its members, however many more they are than a statement takes parameters (32,766 on
// SQLite, else 65,535), and also where the connection has appended nothing before. It runs by itself: its commit takes a good part
// of what one may take.
func TestLargeGroup(t *testing.T) {
	onBothAlone(t, func(t *testing.T, n *node) {
		many := int64(33_000)
		if n.db.Dialect == Postgres {
			many = 66_000
		}
		n.person(t, "ann")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		n.run(t, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO users (username, display_name, role, password_hash, created_at, joined_offset) SELECT 'p' || i, 'p', 'user', '', 0, 0 FROM n`, many)
		n.run(t, "INSERT INTO memberships (group_id, user_id, joined_offset) SELECT g.id, u.id, 1 FROM groups g CROSS JOIN users u WHERE u.username LIKE 'p%'")
		n.run(t, "INSERT INTO inboxes (user_id, read_floor) SELECT id, 7 FROM users")
		n.person(t, "bob")
		n.run(t, "INSERT INTO inboxes (user_id, read_floor) SELECT id, 7 FROM users WHERE username = 'bob'")

		must(t, n.groups.Remove(t.Context(), "crew"))

		if _, err := n.groups.Find(t.Context(), "crew"); codeOf(err) != models.CodeNotFound {
			t.Errorf("the group: %v", err)
		}
		if told := n.number(t, "SELECT count(*) FROM entries WHERE kind = 'membership'"); told != 1+many+1 {
			t.Errorf("%d entries of %d members", told, many+1)
		}
		if left := n.number(t, "SELECT count(*) FROM inboxes"); left != 1 {
			t.Errorf("%d inboxes are thought to be known, want that of who was no member", left)
		}
	})
}
