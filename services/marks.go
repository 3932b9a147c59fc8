package services

import (
	"context"
	"encoding/json"
	"math"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"belfry/models"
	"belfry/services/journal"
)

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
		head, err := n.journal.Fix(tx)
		if err != nil {
			return nil, err
		}
		// A cursor of before a restore names other notices.
		if m.UpTo != nil && m.UpTo.Epoch != head.Epoch {
			return nil, models.InvalidField("up_to", "A cursor of this log; load the inbox anew.")
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
		if err := n.store(tx, user, m, rows, changed); err != nil {
			return nil, err
		}
		if marked.Unread, err = n.settle(tx, user, head.Offset); err != nil {
			return nil, err
		}
		return stateDrafts(user, m, states, changed, marked.Unread), nil
	})
	return marked, err
}

// marking reads what a marking is about.
func (n *Notices) marking(tx *gorm.DB, user *models.User, m Marking) ([]noticeRow, error) {
	switch {
	case m.UpTo != nil:
		return n.rows(tx, user, inboxQuery{where: whereInbox, before: m.UpTo.Offset + 1, limit: math.MaxInt32})
	case len(m.IDs) == 0:
		return nil, nil
	default:
		return n.byID(tx, user, m.IDs...)
	}
}

// store writes the marks, and lowers the bound of the unread count where something may be unread again
// below it.
func (n *Notices) store(tx *gorm.DB, user *models.User, m Marking, rows []noticeRow, changed []models.NoticeState) error {
	if len(changed) == 0 {
		return nil
	}
	upsert := clause.OnConflict{Columns: []clause.Column{{Name: "user_id"}, {Name: "notice_id"}}, DoUpdates: clause.AssignmentColumns([]string{"read_at", "archived_at"})}
	if err := tx.Clauses(upsert).CreateInBatches(changed, nameChunk/2).Error; err != nil {
		return err
	}
	if (m.Read == nil || *m.Read) && (m.Archived == nil || *m.Archived) {
		return nil
	}
	oldest := rows[len(rows)-1].LogOffset // they come newest first
	return tx.Exec("UPDATE inboxes SET read_floor = ? WHERE user_id = ? AND read_floor >= ?", oldest-1, user.ID, oldest).Error
}

// settle counts what is unread and raises the bound of the next count to just below it. Nothing can be
// published meanwhile, for the head stands still.
func (n *Notices) settle(tx *gorm.DB, user *models.User, head int64) (unread int64, err error) {
	unread, oldest, err := n.unread(tx, user)
	if err != nil {
		return 0, err
	}
	floor := head
	if unread > 0 {
		floor = oldest - 1
	}
	return unread, tx.Exec(`INSERT INTO inboxes (user_id, read_floor) VALUES (?, ?)
		ON CONFLICT (user_id) DO UPDATE SET read_floor = excluded.read_floor`, user.ID, floor).Error
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
