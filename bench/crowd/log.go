package crowd

import (
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services"
)

// The log that is written beforehand. Its newest notices are the same whatever lies beneath them, for a page has to
// show the same: to each reader so many, and as many to the group and to everyone. The old ones beneath go to all
// people, one in a hundred to the group, one in a thousand to everyone.
const (
	Readers     = 20
	newestEach  = 250
	newestCycle = Readers + 2
	newest      = newestEach * newestCycle
	// unreadCycles are left unread of the newest: to a reader 3 in each.
	unreadCycles = 20
	// logSpan is over how long the log was written: less than entries are kept.
	logSpan = 20 * 24 * time.Hour
	// chunk is how many rows are written in one transaction.
	chunk = 200_000
)

// writeLog writes old notices, and the newest on top of them, as if they had been published.
func (w *writer) writeLog() {
	w.t.Helper()
	content, err := json.Marshal(models.NoticeContent{Title: "The build is done", Body: NoticeBody, Format: "text", Severity: "info", Sender: models.Sender{Type: "key", Name: "bench"}})
	w.must(err)
	first, old := w.users[0].ID, w.shape.Rows
	group := fmt.Sprintf("'group:%d'", w.group.ID)
	oldAudience := fmt.Sprintf("CASE WHEN n %% 1000 = 0 THEN 'everyone' WHEN n %% 100 = 1 THEN %s ELSE 'user:' || (%d + n * 7919 %% %d) END", group, first, len(w.users))
	newAudience := fmt.Sprintf("CASE (n - %d) %% %d WHEN 0 THEN 'everyone' WHEN 1 THEN %s ELSE 'user:' || (%d + (n - %d) %% %[2]d - 2) END", old, newestCycle, group, first, old)
	for from := 1; from <= old; from += chunk {
		w.writeEntries(from, min(from+chunk-1, old), oldAudience, string(content))
	}
	w.writeEntries(old+1, old+newest, newAudience, string(content))
	head := old + newest
	w.must(w.write.Exec("UPDATE log_head SET head = ?", head).Error)
	// Nobody searches here. Else the node would add ten million notices to its index for a quarter of an hour, and what that
	// costs would be told as the cost of what is measured meanwhile.
	w.must(w.write.Exec("UPDATE search_state SET indexed = ?", head).Error)
	w.must(w.write.Exec("INSERT INTO inboxes (user_id, read_floor) SELECT id, CAST(? AS bigint) FROM users", head-unreadCycles*newestCycle).Error)
	w.settle()
}

// writeEntries writes entries with their recipients.
func (w *writer) writeEntries(from, to int, audience, payload string) {
	w.t.Helper()
	numbers := "SELECT n FROM generate_series(CAST(@from AS bigint), CAST(@to AS bigint)) AS g(n)"
	if w.db.Dialect == services.SQLite {
		numbers = "WITH RECURSIVE g(n) AS (SELECT @from UNION ALL SELECT n + 1 FROM g WHERE n < @to) SELECT n FROM g"
	}
	last := w.shape.Rows + newest
	values := map[string]any{"from": from, "to": to, "payload": payload, "now": int64(w.now), "last": last, "apart": max(1, min(1000, logSpan.Milliseconds()/int64(last)))}
	w.must(w.write.Transaction(func(tx *gorm.DB) error {
		if w.db.Dialect == services.Postgres {
			if err := tx.Exec("SET LOCAL statement_timeout = 0").Error; err != nil {
				return err
			}
		}
		err := tx.Exec(`INSERT INTO entries (log_offset, kind, subject, actor, audiences, payload, created_at)
			SELECT n, 'notice', n, 'key:1', `+audience+`, @payload, @now - (@last - n) * @apart FROM (`+numbers+`) AS numbers`, values).Error
		if err != nil {
			return err
		}
		return tx.Exec("INSERT INTO recipients (audience, log_offset) SELECT audiences, log_offset FROM entries WHERE log_offset BETWEEN @from AND @to", values).Error
	}))
}

// settle leaves the database as one that has had the time to tidy up: what that costs would fall into the measuring.
func (w *writer) settle() {
	w.t.Helper()
	statements := []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
	if w.db.Dialect == services.Postgres {
		statements = []string{"SET statement_timeout = 0", "VACUUM (ANALYZE) entries", "VACUUM (ANALYZE) recipients", "CHECKPOINT"}
	}
	conn, err := w.db.SQL().Conn(w.t.Context())
	w.must(err)
	for _, statement := range statements {
		_, err := conn.ExecContext(w.t.Context(), statement)
		w.must(err)
	}
	w.must(conn.Close())
}
