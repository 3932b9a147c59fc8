package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"gorm.io/gorm"
)

// OnceWindow is how long an idempotency key is remembered. The PostgreSQL function holds the same figure.
const OnceWindow = 24 * time.Hour

// store is how a batch gets into one of the two databases. append runs inside a transaction of the
// caller on PostgreSQL and SQLite alike; it is the last statement before the commit.
type store interface {
	append(ctx context.Context, tx *gorm.DB, batch []Draft) ([]Receipt, error)
}

// row is an entry as it is stored.
type row struct {
	LogOffset   int64
	Kind        string
	Subject     int64
	Actor       string
	Topic       string
	CollapseKey string
	Audiences   string
	Payload     string
	CreatedAt   int64
	ExpiresAt   sql.NullInt64
	WithdrawnAt sql.NullInt64
}

func (r *row) entry() Entry {
	return Entry{
		Offset: r.LogOffset, Kind: r.Kind, Subject: r.Subject, Actor: r.Actor, Topic: r.Topic, CollapseKey: r.CollapseKey,
		Audiences: strings.Fields(r.Audiences), Payload: json.RawMessage(r.Payload), CreatedAt: r.CreatedAt,
		ExpiresAt: r.ExpiresAt.Int64, WithdrawnAt: r.WithdrawnAt.Int64,
	}
}

// committed turns what was appended into what the log now holds, without asking it again.
func committed(batch []Draft, receipts []Receipt) []Entry {
	entries := make([]Entry, 0, len(batch))
	for i, d := range batch {
		if receipts[i].Replayed || receipts[i].Offset == 0 {
			continue
		}
		subject := d.Subject
		if subject == 0 {
			subject = receipts[i].Offset
		}
		entries = append(entries, Entry{
			Offset: receipts[i].Offset, Kind: d.Kind, Subject: subject, Actor: d.Actor, Topic: d.Topic, CollapseKey: d.CollapseKey,
			Audiences: d.Audiences, Payload: d.Payload, CreatedAt: receipts[i].CreatedAt, ExpiresAt: d.ExpiresAt,
		})
	}
	return entries
}
