package services

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Bounds of the work on the index.
const (
	indexEvery = time.Second // between looks whether the log has grown
	// indexEntries and indexTerms bound what is added in one transaction: on SQLite every publish waits for it.
	indexEntries = 200
	indexTerms   = 10_000
	// indexRest is how many times as long as it worked the index rests while the log grows faster than it is indexed: a
	// burst has the machine for itself, and what it left is added when it is over.
	indexRest = 19
	// indexTrim is how many rows one transaction takes out.
	indexTrim = 500
)

// stretchBits is the size of a stretch of the log in the index on PostgreSQL, as a power of two: a search looks through one
// after the other and reads at most so many candidates at once.
const stretchBits = 14

// Search keeps an index of what stands in the notices. It lies behind the log by a moment, so that publishing has nothing to
// do with it; a search reads what is not in it yet.
type Search struct {
	db      *Database
	journal *journal.Journal
	log     *slog.Logger
}

// NewSearch makes the service.
func NewSearch(db *Database, j *journal.Journal, log *slog.Logger) *Search {
	return &Search{db: db, journal: j, log: log}
}

// Run follows the log until ctx ends. Every node does; of several that find something to add one adds it.
func (s *Search) Run(ctx context.Context) {
	tick := time.NewTicker(indexEvery)
	defer tick.Stop()
	var done, trimmed int64 // what this node need not look at again
	for {
		var err error
		if s.journal.Cursor() > done {
			done, err = s.CatchUp(ctx)
		}
		if at := s.journal.Trimmed(); err == nil && at > trimmed {
			if err = s.trim(ctx, at); err == nil {
				trimmed = at
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("the search index could not be kept; it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// CatchUp adds what the index lacks, and tells up to where it then goes; 0 where another node is at it. It rests as long as
// it works, and in a burst much longer: people wait for what else there is to do.
func (s *Search) CatchUp(ctx context.Context) (upTo int64, err error) {
	behind := int64(0)
	for {
		began := time.Now()
		step, err := s.step(ctx)
		if err != nil || step == nil {
			return 0, err
		}
		if step.upTo == step.head {
			return step.upTo, nil
		}
		rest := time.Since(began)
		if behind > 0 && step.head-step.upTo > behind {
			rest *= indexRest
		}
		behind = step.head - step.upTo
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(rest):
		}
	}
}

// indexStep is what is added at once.
type indexStep struct {
	from, upTo, head int64
	rows             []indexRow
}

type indexRow struct {
	offset int64
	terms  []uint32
}

// step adds a few entries; nil where another node is at it. That node holds the row of the state on PostgreSQL while it works. On
// SQLite there is one writer, which is kept waiting no longer than needed.
func (s *Search) step(ctx context.Context) (step *indexStep, err error) {
	if s.db.Dialect == SQLite {
		if step, err = s.next(s.db.Read.WithContext(ctx), "SELECT indexed FROM search_state"); err == nil {
			err = s.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return s.add(tx, step) })
		}
		return step, err
	}
	err = s.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if step, err = s.next(tx, "SELECT indexed FROM search_state FOR UPDATE SKIP LOCKED"); err != nil {
			return err
		}
		return s.add(tx, step)
	})
	return step, err
}

// next reads the entries that follow the index and works out their terms; nil where the state is held.
func (s *Search) next(tx *gorm.DB, state string) (*indexStep, error) {
	var from []int64
	if err := tx.Raw(state).Scan(&from).Error; err != nil || len(from) == 0 {
		return nil, err
	}
	head, err := journal.HeadIn(tx)
	if err != nil {
		return nil, err
	}
	var entries []struct {
		LogOffset                 int64
		Audiences, Topic, Payload string
	}
	// Of those that are no notices the offset alone is told: what they say is not searched, and may be long.
	err = tx.Raw(`SELECT log_offset, audiences, topic, CASE WHEN kind = 'notice' THEN payload ELSE '' END AS payload
		FROM entries WHERE log_offset > ? AND log_offset <= ? ORDER BY log_offset LIMIT ?`, from[0], head.Offset, indexEntries).Scan(&entries).Error
	if err != nil {
		return nil, err
	}
	step := &indexStep{from: from[0], upTo: head.Offset, head: head.Offset}
	terms := 0
	for i, e := range entries {
		if e.Payload != "" {
			row := indexRow{e.LogOffset, termsOf(e.Audiences, e.Topic, e.Payload)}
			step.rows = append(step.rows, row)
			terms += len(row.terms)
		}
		if terms >= indexTerms || i == indexEntries-1 {
			step.upTo = e.LogOffset
			break
		}
	}
	return step, nil
}

// termsOf gives what a notice is found by, in order.
func termsOf(audiences, topic, payload string) []uint32 {
	terms := termSet{}
	for audience := range strings.FieldsSeq(audiences) {
		terms.add(termAudience, audience)
	}
	if topic != "" {
		terms.add(termCategory, topic)
	}
	title, body := textOf(payload)
	terms.index(title)
	terms.index(body)
	return slices.Sorted(maps.Keys(terms))
}

// textOf gives what is searched of a notice, folded. A payload that is none has no text.
func textOf(payload string) (title, body string) {
	var content models.NoticeContent
	if err := json.Unmarshal([]byte(payload), &content); err != nil {
		return "", ""
	}
	return foldText(content.Title), foldText(content.Body)
}

// add is conditional: another node may have added the same.
func (s *Search) add(tx *gorm.DB, step *indexStep) error {
	if step == nil || step.upTo == step.from {
		return nil
	}
	moved := tx.Exec("UPDATE search_state SET indexed = ? WHERE indexed = ?", step.upTo, step.from)
	if moved.Error != nil || moved.RowsAffected == 0 || len(step.rows) == 0 {
		return moved.Error
	}
	if s.db.Dialect == SQLite {
		for _, row := range step.rows {
			if err := tx.Exec("INSERT INTO search_index (rowid, keys) VALUES (?, ?)", row.offset, ftsTokens(row.terms, " ")).Error; err != nil {
				return err
			}
		}
		return nil
	}
	values := make([]string, len(step.rows))
	args := make([]any, 0, 2*len(step.rows))
	for i, row := range step.rows {
		values[i] = "(?, CAST(? AS bigint[]))"
		args = append(args, row.offset, arrayOf(row.terms, row.offset>>stretchBits))
	}
	if err := tx.Exec("INSERT INTO search_index (log_offset, keys) VALUES "+strings.Join(values, ", "), args...).Error; err != nil {
		return err
	}
	return tx.Exec("SELECT gin_clean_pending_list('search_index_by_key')").Error
}

// ftsTokens writes terms as SQLite's index takes them.
func ftsTokens(terms []uint32, between string) string {
	tokens := make([]string, len(terms))
	for i, term := range terms {
		tokens[i] = strconv.FormatUint(uint64(term), 36)
	}
	return strings.Join(tokens, between)
}

// arrayOf writes the keys of terms in one stretch of the log as an array of PostgreSQL.
func arrayOf(terms []uint32, stretch int64) string {
	b := []byte("{")
	for i, term := range terms {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, stretch<<32|int64(term), 10)
	}
	return string(append(b, '}'))
}

// trim takes out what the log does not hold any more.
func (s *Search) trim(ctx context.Context, upTo int64) error {
	column := "log_offset"
	if s.db.Dialect == SQLite {
		column = "rowid"
	}
	statement := fmt.Sprintf("DELETE FROM search_index WHERE %[1]s IN (SELECT %[1]s FROM search_index WHERE %[1]s <= ? ORDER BY %[1]s LIMIT ?)", column)
	for {
		gone := s.db.Write.WithContext(ctx).Exec(statement, upTo, indexTrim)
		if gone.Error != nil || gone.RowsAffected < indexTrim {
			return gone.Error
		}
	}
}
