package services

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// SentNotice is a notice as its sender sees it.
type SentNotice struct {
	ID     int64   `json:"id"`
	Cursor *string `json:"cursor" doc:"Its place in the log; null until a scheduled one is released"`
	models.NoticeContent
	CreatedAt   models.Instant  `json:"created_at" format:"date-time" doc:"When it was released, if it was scheduled and is"`
	To          SentTo          `json:"to"`
	DeliverAt   *models.Instant `json:"deliver_at" format:"date-time" doc:"When it is to be released; null of what was"`
	WithdrawnAt *models.Instant `json:"withdrawn_at" format:"date-time"`
	Recipients  int64           `json:"recipients" doc:"In how many inboxes it is now, or would be"`
	Reads       int64           `json:"reads" doc:"How many of them have read it"`
}

// SentTo is whom a notice was written to, by the names they have now; who is gone is left out.
type SentTo struct {
	Users    []string `json:"users" nullable:"false"`
	Groups   []string `json:"groups" nullable:"false"`
	Everyone bool     `json:"everyone"`
}

// sentRow is a notice as it was published, or as it is to be.
type sentRow struct {
	ID          int64
	LogOffset   int64 // 0: not released
	Actor       string
	Audiences   string
	Payload     string
	CreatedAt   models.Instant
	DeliverAt   *models.Instant
	WithdrawnAt *models.Instant
}

// The two places where a notice can be, with the same columns.
const (
	fromEntries   = "SELECT subject AS id, log_offset, actor, audiences, payload, created_at, CAST(NULL AS bigint) AS deliver_at, withdrawn_at FROM entries WHERE kind = 'notice' AND "
	fromSchedules = "SELECT id, 0, actor, audiences, payload, created_at, deliver_at, withdrawn_at FROM schedules WHERE "
)

// Sent gives a page of what somebody has sent or scheduled, the newest first by id; before 0 = from the newest on. next is
// where the page after it begins, 0 at the end.
func (n *Notices) Sent(ctx context.Context, p *Principal, before int64, limit int) (page []SentNotice, next int64, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	err = n.db.snapshot(ctx, func(tx *gorm.DB) error {
		var rows []sentRow
		err := tx.Raw("SELECT * FROM (SELECT * FROM ("+fromEntries+"actor = @actor AND subject < @before ORDER BY subject DESC LIMIT @limit) released"+
			" UNION ALL SELECT * FROM ("+fromSchedules+"actor = @actor AND id < @before ORDER BY id DESC LIMIT @limit) waiting) sent ORDER BY id DESC LIMIT @limit",
			map[string]any{"actor": p.Actor(), "before": before, "limit": limit + 1}).Scan(&rows).Error
		if err != nil {
			return err
		}
		if len(rows) > limit {
			rows, next = rows[:limit], rows[limit-1].ID
		}
		page, err = n.sentViews(tx, rows)
		return err
	})
	return page, next, err
}

func (n *Notices) sentViews(tx *gorm.DB, rows []sentRow) ([]SentNotice, error) {
	views, to := make([]SentNotice, len(rows)), make([]addressed, len(rows))
	for i := range rows {
		to[i] = parseAudiences(rows[i].Audiences)
	}
	crowd, err := readCrowd(tx, to)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		v := &views[i]
		if err := json.Unmarshal([]byte(r.Payload), &v.NoticeContent); err != nil {
			return nil, err
		}
		v.ID, v.CreatedAt, v.DeliverAt, v.WithdrawnAt, v.To = r.ID, r.CreatedAt, r.DeliverAt, r.WithdrawnAt, crowd.names(&to[i])
		at := int64(math.MaxInt64) // of what waits: whoever is there now
		if r.LogOffset != 0 {
			cursor := n.journal.Position(r.LogOffset).String()
			v.Cursor, at = &cursor, r.LogOffset
		}
		if v.Recipients, err = crowd.count(tx, &to[i], at); err != nil {
			return nil, err
		}
		if err := tx.Raw("SELECT count(*)"+readings, to[i].reading(r.ID, at)).Scan(&v.Reads).Error; err != nil {
			return nil, err
		}
	}
	return views, nil
}

// addressed is an entry's audiences, read.
type addressed struct {
	users, groups []int64
	everyone      bool
}

func parseAudiences(text string) (to addressed) {
	for audience := range strings.FieldsSeq(text) {
		kind, number, _ := strings.Cut(audience, ":")
		id, err := strconv.ParseInt(number, 10, 64)
		switch {
		case audience == everyone:
			to.everyone = true
		case err != nil: // of no kind that a notice can be for
		case kind+":" == userPrefix:
			to.users = append(to.users, id)
		default:
			to.groups = append(to.groups, id)
		}
	}
	return to
}

// readings are the reads of a notice by those who have it in their inbox now: who has left the group that it was for is
// none of them any more.
const readings = ` FROM notice_states s WHERE s.notice_id = @notice AND s.read_at IS NOT NULL AND (@everyone OR s.user_id IN @users
	OR EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = s.user_id AND m.group_id IN @groups AND m.joined_offset < @at))`

func (to *addressed) reading(notice, at int64) map[string]any {
	return map[string]any{"notice": notice, "everyone": to.everyone, "users": to.users, "groups": to.groups, "at": at}
}

// crowd is what the notices of a page need to know of people and groups.
type crowd struct {
	people        int64            // how many there are; 0 where nothing is for everyone
	users, groups map[int64]string // names
}

func readCrowd(tx *gorm.DB, to []addressed) (c crowd, err error) {
	var users, groups []int64
	someForAll := false
	for i := range to {
		users, groups, someForAll = append(users, to[i].users...), append(groups, to[i].groups...), someForAll || to[i].everyone
	}
	if c.users, err = namesByID(tx, "username", "users", users); err != nil {
		return c, err
	}
	if c.groups, err = namesByID(tx, "name", "groups", groups); err != nil || !someForAll {
		return c, err
	}
	return c, tx.Raw("SELECT count(*) FROM users").Scan(&c.people).Error
}

func namesByID(tx *gorm.DB, column, table string, ids []int64) (map[int64]string, error) {
	slices.Sort(ids)
	names := make(map[int64]string, len(ids))
	for chunk := range slices.Chunk(slices.Compact(ids), nameChunk) {
		var rows []struct {
			ID   int64
			Name string
		}
		if err := tx.Raw("SELECT id, "+column+" AS name FROM "+table+" WHERE id IN ?", chunk).Scan(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			names[r.ID] = r.Name
		}
	}
	return names, nil
}

func (c *crowd) names(to *addressed) SentTo {
	named := func(ids []int64, known map[int64]string) []string {
		names := make([]string, 0, len(ids))
		for _, id := range ids {
			if name, ok := known[id]; ok {
				names = append(names, name)
			}
		}
		return names
	}
	return SentTo{Users: named(to.users, c.users), Groups: named(to.groups, c.groups), Everyone: to.everyone}
}

// count is how many people something addressed so is for, at a place of the log. It follows the inbox: who joined later is
// none of them, who is disabled is one. Of what is for everyone those are counted who came later, for they are few.
func (c *crowd) count(tx *gorm.DB, to *addressed, at int64) (n int64, err error) {
	switch {
	case to.everyone:
		var later int64
		err = tx.Raw("SELECT count(*) FROM users WHERE joined_offset >= ?", at).Scan(&later).Error
		return c.people - later, err
	case len(to.groups) == 0:
		for _, id := range to.users {
			if _, there := c.users[id]; there {
				n++
			}
		}
		return n, nil
	default:
		err = tx.Raw(`SELECT count(*) FROM (SELECT user_id FROM memberships WHERE group_id IN ? AND joined_offset < ?
			UNION SELECT id FROM users WHERE id IN ?) AS people`, to.groups, at, to.users).Scan(&n).Error
		return n, err
	}
}

// sentBy finds a notice that the caller sent, or that an administrator asks for. Anybody else's is not there.
func (n *Notices) sentBy(tx *gorm.DB, p *Principal, id int64) (*sentRow, error) {
	var rows []sentRow
	// One by one: with OR, SQLite would read the whole log.
	err := tx.Raw(fromEntries+"subject = log_offset AND log_offset = @id UNION ALL "+fromEntries+"subject <> log_offset AND subject = @id UNION ALL "+fromSchedules+"id = @id",
		map[string]any{"id": id}).Scan(&rows).Error
	if err == nil && (len(rows) == 0 || (rows[0].Actor != p.Actor() && !p.IsAdmin())) {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

// Receipt says that somebody has read a notice.
type Receipt struct {
	Username    string         `json:"username"`
	DisplayName string         `json:"display_name"`
	ReadAt      models.Instant `json:"read_at" format:"date-time"`
}

// ReceiptsAfter is where a page of receipts begins: behind the reading of one person.
type ReceiptsAfter struct {
	At   models.Instant
	User int64
}

// Receipts gives who has read a notice, the last one first. next is where the page after it begins, nil at the end.
func (n *Notices) Receipts(ctx context.Context, p *Principal, id int64, after *ReceiptsAfter, limit int) (page []Receipt, next *ReceiptsAfter, err error) {
	if after == nil {
		after = &ReceiptsAfter{At: math.MaxInt64}
	}
	var rows []struct {
		Receipt
		UserID int64
	}
	err = n.db.snapshot(ctx, func(tx *gorm.DB) error {
		row, err := n.sentBy(tx, p, id)
		if err != nil {
			return err
		}
		to := parseAudiences(row.Audiences)
		args := to.reading(id, row.LogOffset)
		args["read"], args["user"], args["limit"] = after.At, after.User, limit+1
		return tx.Raw("SELECT u.username, u.display_name, page.read_at, page.user_id FROM (SELECT s.user_id, s.read_at"+readings+
			" AND (s.read_at, s.user_id) < (@read, @user) ORDER BY s.read_at DESC, s.user_id DESC LIMIT @limit) page JOIN users u ON u.id = page.user_id ORDER BY page.read_at DESC, page.user_id DESC", args).Scan(&rows).Error
	})
	if len(rows) > limit {
		rows = rows[:limit]
		next = &ReceiptsAfter{rows[limit-1].ReadAt, rows[limit-1].UserID}
	}
	page = make([]Receipt, len(rows))
	for i := range rows {
		page[i] = rows[i].Receipt
	}
	return page, next, err
}

// Withdraw takes a notice back from every inbox; one that still waits is never released. Once more is no fault.
func (n *Notices) Withdraw(ctx context.Context, p *Principal, id int64) error {
	_, err := n.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// The one that waits first: if it is being released, this waits until it is an entry.
		waited := tx.Exec("UPDATE schedules SET withdrawn_at = "+n.db.now()+" WHERE id = ? AND withdrawn_at IS NULL AND (actor = ? OR ?)", id, p.Actor(), p.IsAdmin())
		if waited.Error != nil {
			return nil, waited.Error
		}
		row, err := n.sentBy(tx, p, id)
		if err != nil {
			return nil, err
		}
		var drafts []journal.Draft // none for one that waited: nobody was told of it
		if row.LogOffset != 0 {
			if drafts, err = n.takeBack(tx, p, row); err != nil {
				return nil, err
			}
		}
		if row.Actor != p.Actor() && (waited.RowsAffected > 0 || len(drafts) > 0) {
			err = n.db.record(tx, Act{Action: "notice.withdrawn", Detail: map[string]any{"notice": id}})
		}
		return drafts, err
	})
	return err
}

// takeBack is conditional, so that it is told once. The row comes before the head, as everywhere.
func (n *Notices) takeBack(tx *gorm.DB, p *Principal, row *sentRow) ([]journal.Draft, error) {
	done := tx.Exec("UPDATE entries SET withdrawn_at = "+n.db.now()+" WHERE log_offset = ? AND withdrawn_at IS NULL", row.LogOffset)
	if done.Error != nil || done.RowsAffected == 0 {
		return nil, done.Error
	}
	if _, err := n.journal.Fix(tx); err != nil { // the count has to be true at its own place in the log
		return nil, err
	}
	event := StateEvent{IDs: []int64{row.ID}, State: "withdrawn"}
	var err error
	if event.Unread, err = n.unreadOf(tx, row.Audiences); err != nil {
		return nil, err
	}
	told := stateDraft(p.Actor(), event, strings.Fields(row.Audiences)...)
	told.Subject = row.LogOffset // the notice's own entry, so that nodes leave it out of what they replay from memory
	return []journal.Draft{told}, nil
}
