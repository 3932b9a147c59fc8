package services

import (
	"context"
	"errors"
	"fmt"

	"belfry/services/journal"
)

// purgeBatch is how many rows one transaction removes: on SQLite every publish waits for it, and on PostgreSQL no statement may
// take as long as all that a day has left can.
const purgeBatch = 1_000

// purging is what of a table nobody can ask for any more. order names the index by which it is found.
type purging struct {
	table, where, order string
	args                []any
}

// purgings are all that grow with use. What is asked first of the marks is what the index by their notices holds; those of what
// was put off or archived unread are few.
func (h *Housekeeping) purgings(trimmed int64) []purging {
	now := h.db.moment()
	const marks = "notice_id <= ?" +
		// The id of one that was scheduled may be long gone from the log, and the notice still there.
		" AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.kind = 'notice' AND e.subject <> e.log_offset AND e.subject = notice_states.notice_id)"
	return []purging{
		// An ended session is kept as long as its cookie can still be shown.
		{"sessions", "state = 'ended' AND created_at < " + now + " - ?", "created_at", []any{(h.sessions.limits.Max + cookieSlack).Milliseconds()}},
		{"idempotency_keys", "created_at < " + now + " - ?", "created_at", []any{journal.OnceWindow.Milliseconds()}},
		{"ceremonies", "expires_at <= " + now, "expires_at", nil},
		{"audit", "at < " + now + " - ?", "at", []any{h.keep.Audit.Milliseconds()}},
		{"logout_tokens", "expires_at <= " + now, "expires_at", nil},
		{"password_resets", "expires_at <= " + now, "expires_at", nil},
		{"totps", "secret IS NULL AND pending_at <= " + now + " - ?", "pending_at", []any{totpPending.Milliseconds()}},
		{"notice_states", "read_at IS NOT NULL AND " + marks, "notice_id", []any{trimmed}},
		{"notice_states", "read_at IS NULL AND " + marks, "notice_id", []any{trimmed}},
		{"schedules", "withdrawn_at < " + now + " - ?", "id", []any{h.keep.Log.Milliseconds()}},
	}
}

// purge removes all of it. That one cannot be removed keeps none of the others.
func (h *Housekeeping) purge(ctx context.Context) error {
	// Asked beforehand: PostgreSQL plans with what it knows (see Database.moment).
	head, err := h.journal.Head(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, p := range h.purgings(head.Trimmed) {
		if err := h.remove(ctx, &p); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", p.table, err))
		}
	}
	return errors.Join(faults...)
}

// purgeKeys are the keys of tables that have no rowid on SQLite.
var purgeKeys = map[string]string{"ceremonies": "id_hash", "logout_tokens": "id_hash"}

// remove works in small transactions; an error leaves what was removed removed. On PostgreSQL rows are named by where they lie,
// for a join could be a look at the whole table. They are locked as they are chosen, and what others hold is left for the next
// time: of a row that was changed meanwhile, as a key is that is used anew, PostgreSQL before its releases of November 2025 would
// remove what it has become.
func (h *Housekeeping) remove(ctx context.Context, p *purging) error {
	place, among, lock := "rowid", "IN (%s)", ""
	if h.db.Dialect == Postgres {
		lock = " FOR UPDATE OF " + p.table + " SKIP LOCKED"
	}
	if key := purgeKeys[p.table]; key != "" {
		place = key
	} else if h.db.Dialect == Postgres {
		place, among = "ctid", "= ANY(ARRAY(%s))"
	}
	which := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %d%s", place, p.table, p.where, p.order, purgeBatch, lock)
	for ctx.Err() == nil {
		gone := h.db.Write.WithContext(ctx).Exec("DELETE FROM "+p.table+" WHERE "+place+" "+fmt.Sprintf(among, which), p.args...)
		if gone.Error != nil || gone.RowsAffected < purgeBatch {
			return gone.Error
		}
	}
	return ctx.Err()
}
