package services

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// candidates is the offsets of what is addressed to one person, as they are now, newest first: their
// own, everyone's since the account was made, a group's since they joined it. UNION, not UNION ALL: who is
// reached by several ways gets a notice once. Each way is cut to one step before they are put
// together, so that a page costs a page and not an inbox. Of two lower bounds SQLite uses one for the index, and not always the
// higher: so there is one.
const candidates = `WITH candidates AS (
	SELECT log_offset FROM (
		SELECT log_offset FROM (SELECT log_offset FROM recipients WHERE audience = @me
			AND log_offset > @after AND log_offset < @before ORDER BY log_offset DESC LIMIT @step) own
		UNION SELECT log_offset FROM (SELECT log_offset FROM recipients WHERE audience = 'everyone' AND log_offset > GREATEST(CAST(@joined AS bigint), @after)
			AND log_offset < @before ORDER BY log_offset DESC LIMIT @step) everyones
		UNION SELECT log_offset FROM (%s) groups
	) ways ORDER BY log_offset DESC LIMIT @step)
`

// fitted is what is told of each candidate.
const fitted = `SELECT candidates.log_offset, e.subject, e.payload, e.created_at, e.expires_at, s.read_at, s.archived_at,
	s.snoozed_until, COALESCE(s.snoozed_until > @now, false) AS snoozed, COALESCE(%s, false) AS fits
`

// The two ways of reading what is for a person's groups. On PostgreSQL each group is read from its newest on, and no
// further than a step: as one join, all that was ever said to a group would be read and sorted for each page.
const (
	ofGroups = `SELECT r.log_offset FROM memberships m
			JOIN recipients r ON r.audience = 'group:' || m.group_id AND r.log_offset > max(m.joined_offset, @after)
			WHERE m.user_id = @user AND r.log_offset < @before ORDER BY r.log_offset DESC LIMIT @step`
	ofGroupsPostgres = `SELECT r.log_offset FROM memberships m
			CROSS JOIN LATERAL (SELECT log_offset FROM recipients WHERE audience = 'group:' || m.group_id AND log_offset > m.joined_offset
				AND log_offset > @after AND log_offset < @before ORDER BY log_offset DESC LIMIT @step) r
			WHERE m.user_id = @user ORDER BY r.log_offset DESC LIMIT @step`
)

// The two ways of joining entries and marks to the candidates. On PostgreSQL the order of work is laid
// down: for each candidate, look up its entry and its mark. OFFSET 0 is what keeps the planner from
// choosing another order. It would, while it has no statistics of tables that grew quickly: it takes
// entries for nearly empty and compares each with each candidate, for longer than a statement may take.
const (
	fromCandidates = `FROM candidates JOIN entries e ON e.log_offset = candidates.log_offset
	LEFT JOIN notice_states s ON s.user_id = @user AND s.notice_id = e.subject`
	fromCandidatesPostgres = `FROM candidates CROSS JOIN LATERAL (SELECT * FROM entries WHERE entries.log_offset = candidates.log_offset OFFSET 0) e
	LEFT JOIN LATERAL (SELECT * FROM notice_states WHERE user_id = @user AND notice_id = e.subject OFFSET 0) s ON true`
)

// visible is whether one entry, by the alias in place of the verb, is addressed to the person.
const visible = `(EXISTS (SELECT 1 FROM recipients r WHERE r.audience = @me AND r.log_offset = %[1]s.log_offset)
	OR (%[1]s.log_offset > @joined AND EXISTS (SELECT 1 FROM recipients r WHERE r.audience = 'everyone' AND r.log_offset = %[1]s.log_offset))
	OR EXISTS (SELECT 1 FROM memberships m JOIN recipients r ON r.audience = 'group:' || m.group_id AND r.log_offset = %[1]s.log_offset
		WHERE m.user_id = @user AND %[1]s.log_offset > m.joined_offset))`

// The states of an inbox, as conditions.
var (
	whereNotice  = "e.kind = 'notice' AND e.withdrawn_at IS NULL"
	whereCurrent = whereNotice + ` AND (e.expires_at IS NULL OR e.expires_at > @now) AND (e.collapse_key = '' OR NOT EXISTS (
		SELECT 1 FROM entries newer WHERE newer.kind = 'notice' AND newer.collapse_key <> '' AND newer.actor = e.actor
		AND newer.collapse_key = e.collapse_key AND newer.log_offset > e.log_offset AND ` + fmt.Sprintf(visible, "newer") + `))`
	whereKept   = "s.archived_at IS NULL AND " + whereCurrent
	whereInbox  = "(s.snoozed_until IS NULL OR s.snoozed_until <= @now) AND " + whereKept
	whereUnread = "s.read_at IS NULL AND " + whereInbox
	// whereToRead is the unread with those that are to come back unread when their snooze ends.
	whereToRead = "s.read_at IS NULL AND " + whereKept
)

var inboxStates = map[string]string{"inbox": whereInbox, "unread": whereUnread,
	"archived": "s.archived_at IS NOT NULL AND " + whereNotice, "snoozed": "s.snoozed_until > @now AND " + whereKept, "all": whereNotice}

// markedStates are the states that only marked notices can be in, by the marks.
var markedStates = map[string]string{"archived": "m.archived_at IS NOT NULL", "snoozed": "m.snoozed_until > @now"}

// ofMarked is the offsets of what a person has marked so. Where the newest are not, to look for them would be to read all of an inbox.
// Of one that was scheduled the offset is another than the id.
const ofMarked = `WITH candidates AS (SELECT log_offset FROM (
	SELECT COALESCE((SELECT max(e.log_offset) FROM entries e WHERE e.kind = 'notice' AND e.subject <> e.log_offset AND e.subject = m.notice_id), m.notice_id) AS log_offset
		FROM notice_states m WHERE m.user_id = @user AND %s
	) marked WHERE log_offset > @after AND log_offset < @before ORDER BY log_offset DESC LIMIT @step)
`

// inboxQuery narrows what is read of an inbox.
type inboxQuery struct {
	where  string
	marked string         // by which marks it is found; empty = by none
	args   map[string]any // by the names in where
	before int64          // 0 = from the newest on
	after  int64
	limit  int
	search *searchQuery // nil = no words or category
}

// The steps in which an inbox is looked through: wider each time that too few fitted.
const (
	firstStep = 200
	lastStep  = 5_000
)

// rows reads what fits, newest first.
func (n *Notices) rows(tx *gorm.DB, user *models.User, q inboxQuery) (fitting []noticeRow, err error) {
	before := q.before
	if before == 0 {
		before = math.MaxInt64
	}
	marked := q.marked
	q.marked = "" // what is newest is looked through without it: there it is, if all of an inbox is marked so
	for step := min(max(firstStep, 2*q.limit), lastStep); ; step = min(2*step, lastStep) {
		if q.search.begins(before) {
			step = min(2*q.limit, lastStep)
		}
		query, named := n.stepping(user, q, before, step)
		var found []noticeRow
		if err := tx.Raw(query, named).Scan(&found).Error; err != nil {
			return nil, err
		}
		for i := range found {
			before = found[i].LogOffset
			if !found[i].Fits || !q.search.matches(&found[i]) {
				continue
			}
			if fitting = append(fitting, found[i]); len(fitting) == q.limit {
				return fitting, nil
			}
		}
		if len(found) < step {
			return fitting, nil
		}
		q.marked = marked
	}
}

// stepping is the query for the next candidates, at most as many as it is wide: all of the inbox, or what the index has of it.
func (n *Notices) stepping(user *models.User, q inboxQuery, before int64, width int) (query string, parameters map[string]any) {
	named := named(user, q.args)
	named["after"], named["before"], named["step"] = q.after, before, width
	query = n.fitting(q.where)
	switch {
	case q.search.due(before):
		hits, args := n.hits(q.search, q.after, before)
		maps.Copy(named, args)
		query = n.fittingOf("WITH candidates AS ("+hits+")\n", fmt.Sprintf(visible, "e")+" AND "+q.where)
	case q.marked != "":
		query = n.fittingOf(strings.ReplaceAll(fmt.Sprintf(ofMarked, q.marked), "@now", n.db.moment()), fmt.Sprintf(visible, "e")+" AND "+q.where)
	case q.search != nil:
		q.search.walked = true
	}
	return query + " ORDER BY candidates.log_offset DESC", named
}

func (n *Notices) fitting(where string) string {
	if n.db.Dialect == Postgres {
		return n.fittingOf(fmt.Sprintf(candidates, ofGroupsPostgres), where)
	}
	return n.fittingOf(strings.ReplaceAll(fmt.Sprintf(candidates, ofGroups), "GREATEST(", "max("), where)
}

func (n *Notices) fittingOf(candidates, where string) string {
	from := fromCandidates
	if n.db.Dialect == Postgres {
		from = fromCandidatesPostgres
	}
	return candidates + strings.ReplaceAll(fmt.Sprintf(fitted, where), "@now", n.db.now()) + from
}

func named(user *models.User, more map[string]any) map[string]any {
	all := map[string]any{"me": userAudience(user.ID), "user": user.ID, "joined": user.JoinedOffset}
	maps.Copy(all, more)
	return all
}

// byID reads those of the given notices that are the user's and in one of the states above, newest first.
func (n *Notices) byID(tx *gorm.DB, user *models.User, where string, ids ...int64) (rows []noticeRow, err error) {
	query := `SELECT e.log_offset, e.subject, e.payload, e.created_at, s.read_at, s.archived_at,
			s.snoozed_until, COALESCE(s.snoozed_until > @now, false) AS snoozed FROM entries e
		LEFT JOIN notice_states s ON s.user_id = @user AND s.notice_id = e.subject
		WHERE e.log_offset IN (SELECT log_offset FROM entries WHERE kind = 'notice' AND subject = log_offset AND log_offset IN @ids
			UNION ALL SELECT log_offset FROM entries WHERE kind = 'notice' AND subject <> log_offset AND subject IN @ids)
			AND ` + where + " AND " + fmt.Sprintf(visible, "e") + " ORDER BY e.log_offset DESC"
	err = tx.Raw(strings.ReplaceAll(query, "@now", n.db.now()), named(user, map[string]any{"ids": ids})).Scan(&rows).Error
	return rows, err
}

// readFloor is a bound below which nothing of the user's inbox is unread or will be when a snooze ends, so that
// counting need not begin at the first notice ever. Mark keeps it true.
const readFloor = "COALESCE((SELECT read_floor FROM inboxes WHERE user_id = @user), 0)"

// forgetFloor is for who loses sight of notices: one of those may have superseded an older one that was
// never read, and comes back.
func forgetFloor(tx *gorm.DB, user int64) error {
	return tx.Exec("DELETE FROM inboxes WHERE user_id = ?", user).Error
}

// floor reads it.
func (n *Notices) floor(tx *gorm.DB, user *models.User) (floor int64, err error) {
	err = tx.Raw("SELECT "+readFloor, named(user, nil)).Scan(&floor).Error
	return floor, err
}

// unread counts the unread of the inbox, and tells the oldest that is or will be one of them; 0 of none.
func (n *Notices) unread(tx *gorm.DB, user *models.User) (count, oldest int64, err error) {
	named := named(user, map[string]any{"before": int64(math.MaxInt64), "step": int64(math.MaxInt64)})
	query := strings.ReplaceAll(n.fitting(whereToRead), "@after", readFloor)
	var sum struct{ Count, Oldest int64 }
	err = tx.Raw("SELECT count(*) FILTER (WHERE NOT snoozed) AS count, COALESCE(min(log_offset), 0) AS oldest FROM ("+query+") AS counted WHERE fits", named).Scan(&sum).Error
	return sum.Count, sum.Oldest, err
}

// Listing asks for a page of the inbox.
type Listing struct {
	State    string
	Category string
	Text     string
	Before   int64
	Limit    int
}

// searches is whether it may have to look through all of an inbox: a page of what was not picked is full after a step or two.
func (l *Listing) searches() bool {
	return l.Text != "" || l.Category != "" || l.State == "archived" || l.State == "snoozed"
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
	q := inboxQuery{where: inboxStates[l.State], marked: markedStates[l.State], args: map[string]any{}, before: l.Before, limit: l.Limit + 1}
	if l.Category != "" {
		q.where, q.args["topic"] = q.where+" AND e.topic = @topic", l.Category
	}
	if l.searches() {
		done, err := n.searching.take(ctx, user.ID)
		if err != nil {
			return page, err
		}
		defer done()
	}
	err = n.db.snapshot(ctx, func(tx *gorm.DB) error {
		head, err := journal.HeadIn(tx)
		if err != nil {
			return err
		}
		page.Cursor = journal.Position{Epoch: head.Epoch, Offset: head.Offset}.String()
		if q.search, err = n.search(tx, user, l); err != nil {
			return err
		}
		if l.State == "unread" {
			if q.after, err = n.floor(tx, user); err != nil {
				return err
			}
		}
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
		page.Unread, err = n.unreadAt(tx, user, head)
		return err
	})
	return page, err
}
