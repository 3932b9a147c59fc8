package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// OnceWindow is how long an idempotency key is remembered. The PostgreSQL function holds the same figure.
const OnceWindow = 24 * time.Hour

// store is the log in a database. What reads and what deletes is the same SQL in both; how a batch
// gets in is not.
type store interface {
	head(ctx context.Context) (Head, error)
	// after reads what follows an offset, for this node as a whole.
	after(ctx context.Context, offset int64, limit int) ([]Entry, error)
	// between reads what one of the grants lets be seen in (after, upTo].
	between(ctx context.Context, after, upTo int64, grants []Grant, limit int) ([]Entry, error)
	// commit appends a batch in a transaction of its own.
	commit(ctx context.Context, batch []Draft) ([]Receipt, error)
	// atOnce is how many batches gain by being committed at a time, as long as they are full.
	atOnce() int
	// rejects reports whether the database refused what it was given: nothing was appended, and will not be.
	rejects(err error) bool
	// append is the last statement of a transaction of the caller's.
	append(ctx context.Context, tx *gorm.DB, batch []Draft) ([]Receipt, error)
	// transact runs fn in a transaction.
	transact(ctx context.Context, fn func(tx *gorm.DB) error) error
	// fix keeps the head where it is until the transaction ends.
	fix(tx *gorm.DB) error
	// replaceEpoch does nothing when another node was first.
	replaceEpoch(ctx context.Context, old, fresh string) error
	// trim deletes the oldest entries from before a moment (ms since 1970 UTC), at most limit, and tells the last.
	trim(ctx context.Context, before int64, limit int) (n, last int64, err error)
}

// sqlStore is what both databases do alike. On PostgreSQL read and write are the same pool.
type sqlStore struct{ read, write *gorm.DB }

func (s sqlStore) head(ctx context.Context) (Head, error) { return HeadIn(s.read.WithContext(ctx)) }

// HeadIn reads the end of the log within the caller's transaction.
func HeadIn(tx *gorm.DB) (Head, error) {
	var h struct {
		Epoch              string
		Head, Trimmed, Now int64
	}
	now := "now_ms()"
	if tx.Name() != "postgres" {
		now = sqliteNow
	}
	err := tx.Table("log_head").Select("epoch, head, trimmed, " + now + " AS now").Take(&h).Error
	return Head{Epoch: h.Epoch, Offset: h.Head, Trimmed: h.Trimmed, Now: h.Now}, err
}

func (s sqlStore) transact(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return s.write.WithContext(ctx).Transaction(fn)
}

func (s sqlStore) replaceEpoch(ctx context.Context, old, fresh string) error {
	return s.write.WithContext(ctx).Exec("UPDATE log_head SET epoch = ? WHERE epoch = ?", fresh, old).Error
}

// columns are those of an entry, in the order of scan.
const columns = "log_offset, kind, subject, actor, topic, collapse_key, audiences, payload, created_at, expires_at, withdrawn_at"

func (s sqlStore) after(ctx context.Context, offset int64, limit int) ([]Entry, error) {
	return s.entries(ctx, "SELECT "+columns+" FROM entries WHERE log_offset > ? ORDER BY log_offset LIMIT ?", offset, limit)
}

func (s sqlStore) between(ctx context.Context, after, upTo int64, grants []Grant, limit int) ([]Entry, error) {
	if len(grants) == 0 {
		return nil, nil
	}
	mine := make([]string, len(grants))
	var args []any
	for i, g := range grants {
		// Each is cut to the limit before they are put together, or each step would read all that is left up to the head, for a hundred
		// thousand entries two hundred times. What is cut is there as an entry too, for both go in one transaction.
		mine[i] = "SELECT log_offset FROM (SELECT log_offset FROM recipients WHERE audience = ? AND log_offset > ? AND log_offset <= ? ORDER BY log_offset LIMIT ?) AS mine"
		args = append(args, g.Audience, max(g.After, after), upTo, limit)
	}
	return s.entries(ctx, "SELECT "+columns+" FROM entries WHERE log_offset IN ("+strings.Join(mine, " UNION ")+") ORDER BY log_offset LIMIT ?", append(args, limit)...)
}

// entries scans by hand: every node reads every entry, and a mapper that looks at types costs more than the rest.
func (s sqlStore) entries(ctx context.Context, query string, args ...any) ([]Entry, error) {
	rows, err := s.read.WithContext(ctx).Raw(query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var e Entry
		var audiences, payload string
		var expires, withdrawn sql.NullInt64
		err := rows.Scan(&e.Offset, &e.Kind, &e.Subject, &e.Actor, &e.Topic, &e.CollapseKey, &audiences, &payload, &e.CreatedAt, &expires, &withdrawn)
		if err != nil {
			return nil, err
		}
		e.Audiences, e.Payload = strings.Fields(audiences), json.RawMessage(payload)
		e.ExpiresAt, e.WithdrawnAt = expires.Int64, withdrawn.Int64
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// trim takes the counter's row last, because every publish waits for it.
func (s sqlStore) trim(ctx context.Context, before int64, limit int) (n, last int64, err error) {
	err = s.transact(ctx, func(tx *gorm.DB) error {
		var rows []struct {
			LogOffset int64
			Audiences string
		}
		// Of the first ones alone it is asked how old they are: while fewer are due, the rest of the log would be read to find more.
		first := tx.Table("entries").Select("log_offset", "audiences", "created_at").Order("log_offset").Limit(limit)
		err := tx.Table("(?) AS first", first).Select("log_offset", "audiences").Where("created_at < ?", before).Order("log_offset").Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		n = int64(len(rows))
		last = rows[n-1].LogOffset
		audiences := map[string]struct{}{}
		for _, r := range rows {
			for _, a := range strings.Fields(r.Audiences) {
				audiences[a] = struct{}{}
			}
		}
		// In one order, or of two nodes that trim at once each could wait for rows of the other.
		for _, audience := range slices.Sorted(maps.Keys(audiences)) {
			if err := tx.Exec("DELETE FROM recipients WHERE audience = ? AND log_offset <= ?", audience, last).Error; err != nil {
				return err
			}
		}
		if err := tx.Exec("DELETE FROM entries WHERE log_offset <= ?", last).Error; err != nil {
			return err
		}
		return tx.Exec("UPDATE log_head SET trimmed = ? WHERE trimmed < ?", last, last).Error
	})
	if err != nil {
		return 0, 0, err
	}
	return n, last, nil
}
