package services

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"belfry/internal/testpg"
)

// TestChoresReadNoWholeTable: what is looked for by the clock, each second or each ten minutes, is found by an index however much
// there is of which nothing is due.
func TestChoresReadNoWholeTable(t *testing.T) {
	t.Parallel()
	// As it is with ten million notices and PostgreSQL's own settings: a bitmap would be too large, and the table is than its memory.
	address := got(url.Parse(testpg.Database(t)))(t)
	query := address.Query()
	query.Set("effective_cache_size", "1MB")
	query.Set("enable_bitmapscan", "off")
	address.RawQuery = query.Encode()
	n := newNode(t, address.String())
	n.person(t, "ann")
	l, _ := n.signIn(t, "ann")
	const many = 100_000
	now := n.number(t, "SELECT "+n.db.now())
	n.run(t, `INSERT INTO entries (log_offset, kind, subject, audiences, payload, created_at)
		SELECT i, 'notice', i, 'user:1', repeat('x', 100), ? FROM generate_series(1000, 999 + ?) i`, now, many)
	n.run(t, "INSERT INTO recipients (audience, log_offset) SELECT audiences, log_offset FROM entries WHERE log_offset >= 1000")
	n.run(t, "UPDATE log_head SET head = 999 + ?", many)
	n.run(t, "INSERT INTO notice_states (user_id, notice_id, read_at) SELECT ?, i, ? FROM generate_series(1000, 999 + ?) i", l.UserID, now, many)
	n.run(t, "INSERT INTO idempotency_keys (principal, key, digest, subject, created_at) SELECT 'a', i, '', 0, ? FROM generate_series(1, ?) i", now, many)
	n.run(t, `INSERT INTO sessions (id, user_id, secret_hash, state, created_at, last_active_at, proved_at)
		SELECT 's' || i, ?, '', CASE WHEN i % 2 = 0 THEN 'active' ELSE 'locked' END, ?, ?, 0 FROM generate_series(1, ?) i`, l.UserID, now, now, many)
	n.run(t, `INSERT INTO audit (at, action, actor_type, actor_name, actor_session, username, session, key_name, ip, user_agent, detail)
		SELECT ?, '', '', '', '', '', '', '', '', '', '{}' FROM generate_series(1, ?)`, now, many)
	n.run(t, `INSERT INTO tasks (id, title, creator, audiences, state, created_at, changed_at)
		SELECT i, 'x', 'key:1', 'user:1', 'running', ?, ? FROM generate_series(1000, 999 + ?) i`, now, now, many)
	n.run(t, "ANALYZE")
	before := n.rowsRead(t)

	ctx := t.Context()
	must(t, errors.Join(n.house.sweep(ctx), n.notices.Expire(ctx), n.notices.Wake(ctx), n.notices.Supersede(ctx), n.house.purge(ctx)))
	got(n.notices.Release(ctx))(t)
	got(n.journal.Trim(ctx, now-time.Hour.Milliseconds()))(t)

	must(t, n.tasks.Trim(ctx, time.Hour.Milliseconds()))

	for table, rows := range n.rowsRead(t) {
		if read := rows - before[table]; read > many/100 {
			t.Errorf("%d rows of %s were read", read, table)
		}
	}
}

// rowsRead tells how many rows of each of the large tables were read. PostgreSQL's connections say so at the latest when they end.
func (n *node) rowsRead(t *testing.T) map[string]int64 {
	t.Helper()
	pool := n.db.SQL()
	pool.SetMaxIdleConns(0)
	defer pool.SetMaxIdleConns(postgresConns)
	for deadline := time.Now().Add(20 * time.Second); n.number(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") > 0; {
		if time.Now().After(deadline) {
			t.Fatal("connections stay")
		}
	}
	var rows []struct {
		Relname string
		Read    int64
	}
	must(t, n.db.Write.Raw("SELECT relname, seq_tup_read + COALESCE(idx_tup_fetch, 0) AS read FROM pg_stat_user_tables WHERE n_live_tup >= 50000").Scan(&rows).Error)
	read := map[string]int64{}
	for _, row := range rows {
		read[row.Relname] = row.Read
	}
	if len(read) < 7 {
		t.Fatalf("large tables are %v alone", read)
	}
	return read
}
