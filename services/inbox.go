package services

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"belfry/models"
	"belfry/services/journal"
)

// mine selects the offsets of what is addressed to one person, as they are now: their own, everyone's
// since the account was made, a group's since they joined it. UNION, not UNION ALL: who is reached by
// several ways gets a notice once. Where a page begins is not asked here: a newer notice supersedes an
// older one on whatever page that is.
const mine = `WITH mine AS (
	SELECT log_offset FROM recipients WHERE audience = @me
	UNION SELECT log_offset FROM recipients WHERE audience = 'everyone' AND log_offset > @joined
	UNION SELECT r.log_offset FROM memberships m JOIN recipients r ON r.audience = 'group:' || m.group_id AND r.log_offset > m.joined_offset
		WHERE m.user_id = @user)
`

const mineFrom = ` FROM mine JOIN entries e ON e.log_offset = mine.log_offset
	LEFT JOIN notice_states s ON s.user_id = @user AND s.notice_id = e.subject WHERE mine.log_offset < @before AND e.kind = 'notice' AND e.withdrawn_at IS NULL AND `

// mineFromPostgres is the same with the order of work laid down: for each of mine, look up its entry and its
// state. OFFSET 0 is what keeps PostgreSQL from choosing another order. It would, while it has no
// statistics of tables that grew quickly: it takes entries for nearly empty and compares each with each
// of mine, which for an inbox of some thousand takes longer than a statement may.
const mineFromPostgres = ` FROM mine CROSS JOIN LATERAL (SELECT * FROM entries WHERE entries.log_offset = mine.log_offset OFFSET 0) e
	LEFT JOIN LATERAL (SELECT * FROM notice_states WHERE user_id = @user AND notice_id = e.subject OFFSET 0) s ON true
	WHERE mine.log_offset < @before AND e.kind = 'notice' AND e.withdrawn_at IS NULL AND `

// The states of an inbox, as conditions.
const (
	whereCurrent = `(e.expires_at IS NULL OR e.expires_at > @now) AND (e.collapse_key = '' OR NOT EXISTS (
		SELECT 1 FROM entries newer JOIN mine ON mine.log_offset = newer.log_offset
		WHERE newer.kind = 'notice' AND newer.actor = e.actor AND newer.collapse_key = e.collapse_key AND newer.log_offset > e.log_offset))`
	whereInbox    = "s.archived_at IS NULL AND " + whereCurrent
	whereUnread   = "s.read_at IS NULL AND " + whereInbox
	whereArchived = "s.archived_at IS NOT NULL"
)

var inboxStates = map[string]string{"inbox": whereInbox, "unread": whereUnread, "archived": whereArchived, "snoozed": "1 = 0", "all": "1 = 1"}

// inboxQuery narrows what is read of an inbox.
type inboxQuery struct {
	where  string
	args   []any // for the question marks in where
	before int64 // 0 = from the newest on
	limit  int
}

func (n *Notices) inbox(tx *gorm.DB, user *models.User, q inboxQuery, what, order string) *gorm.DB {
	before := q.before
	if before == 0 {
		before = math.MaxInt64
	}
	where := strings.ReplaceAll(q.where, "@now", n.db.now())
	named := map[string]any{"me": userAudience(user.ID), "user": user.ID, "joined": user.JoinedOffset, "before": before}
	query := mine + "SELECT " + what
	if n.db.Dialect == Postgres {
		query += mineFromPostgres
	} else {
		query += mineFrom
	}
	// Named and positional parameters do not mix in one statement, so the caller's become named.
	for i, arg := range q.args {
		name := "arg" + string(rune('a'+i))
		where = strings.Replace(where, "?", "@"+name, 1)
		named[name] = arg
	}
	return tx.Raw(query+where+order, named)
}

func (n *Notices) rows(tx *gorm.DB, user *models.User, q inboxQuery) (rows []noticeRow, err error) {
	q.args = append(q.args, q.limit)
	err = n.inbox(tx, user, inboxQuery{where: q.where + " ORDER BY e.log_offset DESC LIMIT ?", args: q.args, before: q.before},
		"e.log_offset, e.subject, e.payload, e.created_at, s.read_at, s.archived_at", "").Scan(&rows).Error
	return rows, err
}

func (n *Notices) unread(tx *gorm.DB, user *models.User) (count int64, err error) {
	err = n.inbox(tx, user, inboxQuery{where: whereUnread}, "count(*)", "").Scan(&count).Error
	return count, err
}

// Listing asks for a page of the inbox.
type Listing struct {
	State    string
	Category string
	Text     string
	Before   int64
	Limit    int
}

// Page is a page of the inbox with what belongs to the same moment: a stream that starts at Cursor
// misses nothing of what came after Items.
type Page struct {
	Items  []NoticeView
	Next   string // where the next page begins; empty at the end
	Unread int64
	Cursor string
}

// snapshot runs reads that all see the same moment.
func (d *Database) snapshot(ctx context.Context, fn func(tx *gorm.DB) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if d.Dialect == Postgres {
		opts.Isolation = sql.LevelRepeatableRead
	}
	return d.Read.WithContext(ctx).Transaction(fn, opts)
}

// List gives a page of the user's notices, newest first.
func (n *Notices) List(ctx context.Context, user *models.User, l Listing) (page Page, err error) {
	if l.State == "" {
		l.State = "inbox"
	}
	q := inboxQuery{where: inboxStates[l.State], before: l.Before, limit: l.Limit + 1}
	if l.Category != "" {
		q.where, q.args = q.where+" AND e.topic = ?", append(q.args, l.Category)
	}
	if l.Text != "" {
		where, pattern := n.matching(l.Text)
		q.where, q.args = q.where+where, append(q.args, pattern, pattern)
	}
	err = n.db.snapshot(ctx, func(tx *gorm.DB) error {
		head, err := journal.HeadIn(tx)
		if err != nil {
			return err
		}
		page.Cursor = journal.Position{Epoch: head.Epoch, Offset: head.Offset}.String()
		rows, err := n.rows(tx, user, q)
		if err != nil {
			return err
		}
		if len(rows) > l.Limit {
			rows = rows[:l.Limit]
			page.Next = journal.Position{Epoch: head.Epoch, Offset: rows[l.Limit-1].LogOffset}.String()
		}
		page.Items = make([]NoticeView, len(rows))
		for i := range rows {
			if page.Items[i], err = rows[i].view(head.Epoch); err != nil {
				return err
			}
		}
		page.Unread, err = n.unread(tx, user)
		return err
	})
	return page, err
}

// matching is the condition for a text in title or body, in any case.
func (n *Notices) matching(text string) (where, pattern string) {
	pattern = "%" + escapeLike(strings.ToLower(text)) + "%"
	if n.db.Dialect == Postgres {
		return ` AND (lower(e.payload::json->>'title') LIKE ? ESCAPE '\' OR lower(e.payload::json->>'body') LIKE ? ESCAPE '\')`, pattern
	}
	return ` AND (lower(json_extract(e.payload, '$.title')) LIKE ? ESCAPE '\' OR lower(json_extract(e.payload, '$.body')) LIKE ? ESCAPE '\')`, pattern
}

// Summary is what a stream's hello says: the count as of the head.
type Summary struct {
	Head   journal.Head
	Unread int64
	Now    models.Instant
	Grants []journal.Grant
}

// Summarise reads the head, the unread count and what the user may read, all at one moment.
func (n *Notices) Summarise(ctx context.Context, user *models.User) (s Summary, err error) {
	err = n.db.snapshot(ctx, func(tx *gorm.DB) error {
		var err error
		if s.Head, err = journal.HeadIn(tx); err != nil {
			return err
		}
		if s.Unread, err = n.unread(tx, user); err != nil {
			return err
		}
		if err = tx.Raw("SELECT " + n.db.now()).Scan(&s.Now).Error; err != nil {
			return err
		}
		var groups []models.Membership
		if err = tx.Where("user_id = ?", user.ID).Find(&groups).Error; err != nil {
			return err
		}
		s.Grants = []journal.Grant{{Audience: userAudience(user.ID)}, {Audience: everyone, After: user.JoinedOffset}}
		for _, g := range groups {
			s.Grants = append(s.Grants, journal.Grant{Audience: groupAudience(g.GroupID), After: g.JoinedOffset})
		}
		return nil
	})
	return s, err
}

// kindNoticeState is the entry by which a user's other tabs and devices learn what was done.
const kindNoticeState = "notice_state"

// StateEvent is what a stream says of notices that were changed: by id, or all up to a cursor.
type StateEvent struct {
	IDs    []int64 `json:"ids,omitempty"`
	UpTo   string  `json:"up_to,omitempty"`
	State  string  `json:"state"`
	Unread *int64  `json:"unread"`
}

// Marking is what a person does with notices: these, or all of the inbox at or before UpTo.
type Marking struct {
	IDs      []int64
	UpTo     *journal.Position
	Read     *bool
	Archived *bool
}

// Marked tells how many notices changed, and how many are unread after it.
type Marked struct {
	Changed int   `json:"changed"`
	Unread  int64 `json:"unread"`
}

// Mark changes what the user has read and archived. Ids that are not the user's are passed over.
func (n *Notices) Mark(ctx context.Context, user *models.User, m Marking) (marked Marked, err error) {
	_, err = n.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		marked.Changed = 0
		// The head stands still from here: the count that goes out with the entry has to be true at
		// the entry's own place in the log, or badges drift.
		if _, err := n.journal.Fix(tx); err != nil {
			return nil, err
		}
		rows, err := n.marking(tx, user, m)
		if err != nil {
			return nil, err
		}
		now := new(models.Instant)
		if err := tx.Raw("SELECT " + n.db.now()).Scan(now).Error; err != nil {
			return nil, err
		}
		states, changed := markRows(rows, user.ID, m, now)
		marked.Changed = len(changed)
		if len(changed) > 0 {
			upsert := clause.OnConflict{Columns: []clause.Column{{Name: "user_id"}, {Name: "notice_id"}}, DoUpdates: clause.AssignmentColumns([]string{"read_at", "archived_at"})}
			if err := tx.Clauses(upsert).CreateInBatches(changed, nameChunk/2).Error; err != nil {
				return nil, err
			}
		}
		if marked.Unread, err = n.unread(tx, user); err != nil {
			return nil, err
		}
		return stateDrafts(user, m, states, changed, marked.Unread), nil
	})
	return marked, err
}

func (n *Notices) marking(tx *gorm.DB, user *models.User, m Marking) ([]noticeRow, error) {
	q := inboxQuery{where: "e.subject IN ?", args: []any{m.IDs}, limit: math.MaxInt32}
	if m.UpTo != nil {
		q = inboxQuery{where: whereInbox, before: m.UpTo.Offset + 1, limit: math.MaxInt32}
	} else if len(m.IDs) == 0 {
		return nil, nil
	}
	return n.rows(tx, user, q)
}

// markRows works out the new row of each notice that changes, and the words for what happened.
func markRows(rows []noticeRow, user int64, m Marking, now *models.Instant) (states []string, changed []models.NoticeState) {
	for _, r := range rows {
		next := models.NoticeState{UserID: user, NoticeID: r.Subject, ReadAt: r.ReadAt, ArchivedAt: r.ArchivedAt}
		a := flip(&next.ReadAt, m.Read, now)
		b := flip(&next.ArchivedAt, m.Archived, now)
		if a || b {
			changed = append(changed, next)
		}
	}
	if m.Read != nil {
		states = append(states, word(*m.Read, "read", "unread"))
	}
	if m.Archived != nil {
		states = append(states, word(*m.Archived, "archived", "unarchived"))
	}
	return states, changed
}

// flip sets or clears a mark and says whether that changed anything; the first time stands.
func flip(at **models.Instant, want *bool, now *models.Instant) bool {
	if want == nil || *want == (*at != nil) {
		return false
	}
	*at = nil
	if *want {
		*at = now
	}
	return true
}

func word(yes bool, one, other string) string {
	if yes {
		return one
	}
	return other
}

func stateDrafts(user *models.User, m Marking, states []string, changed []models.NoticeState, unread int64) []journal.Draft {
	if len(changed) == 0 {
		return nil
	}
	event := StateEvent{Unread: &unread}
	if m.UpTo != nil {
		event.UpTo = m.UpTo.String()
	} else {
		for _, c := range changed {
			event.IDs = append(event.IDs, c.NoticeID)
		}
	}
	drafts := make([]journal.Draft, len(states))
	for i, state := range states {
		event.State = state
		payload, err := json.Marshal(event)
		if err != nil {
			panic("services: a state has no JSON: " + err.Error()) // numbers and words always have
		}
		drafts[i] = journal.Draft{Kind: kindNoticeState, Actor: userAudience(user.ID), Audiences: []string{userAudience(user.ID)}, Payload: payload}
	}
	return drafts
}

// MarkOne changes one notice of the user's and gives it; another's is not there.
func (n *Notices) MarkOne(ctx context.Context, user *models.User, id int64, read, archived *bool) (*NoticeView, error) {
	if _, err := n.Get(ctx, user, id); err != nil {
		return nil, err
	}
	if _, err := n.Mark(ctx, user, Marking{IDs: []int64{id}, Read: read, Archived: archived}); err != nil {
		return nil, err
	}
	return n.Get(ctx, user, id)
}
