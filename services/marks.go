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

	SnoozedUntil *models.Instant `json:"snoozed_until,omitempty"` // of the state "snoozed"
}

// Marking is what a person does with notices: these, or all of the inbox at or before UpTo.
type Marking struct {
	IDs      []int64
	UpTo     *journal.Position
	Read     *bool
	Archived *bool
	Snooze   *Snooze // with IDs only
}

// Snooze puts notices off, or back into the inbox. What is put off is not archived, and what is archived not put off.
type Snooze struct {
	Until *models.Instant // nil = not any more; at most models.MaxSnooze ahead
}

// Marked tells how many notices changed, and how many are unread after it.
type Marked struct {
	Changed int   `json:"changed"`
	Unread  int64 `json:"unread"`
}

// Mark changes what the user has read, archived and put off. Ids that are not the user's are passed over.
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
		now := new(models.Instant)
		if err := tx.Raw("SELECT " + n.db.now()).Scan(now).Error; err != nil {
			return nil, err
		}
		if err := checkMarking(m, *now); err != nil {
			return nil, err
		}
		back, err := n.wake(tx, user)
		if err != nil {
			return nil, err
		}
		rows, err := n.marking(tx, user, m, head.Offset)
		if err != nil {
			return nil, err
		}
		states, changed := markRows(rows, user.ID, m, now)
		marked.Changed = len(changed)
		before, err := n.unreadAmong(tx, user, m.IDs)
		if err != nil {
			return nil, err
		}
		if err := n.store(tx, user, m, rows, changed); err != nil {
			return nil, err
		}
		if marked.Unread, err = n.recount(tx, user, head, m.IDs, before, len(back)); err != nil {
			return nil, err
		}
		// What came back of itself comes first: who follows the entries then has it in the inbox that was marked.
		return append(backDrafts(user, back, marked.Unread), stateDrafts(user, m, states, changed, marked.Unread)...), nil
	})
	return marked, err
}

// unreadAmong counts those of some notices that are unread.
func (n *Notices) unreadAmong(tx *gorm.DB, user *models.User, ids []int64) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	rows, err := n.byID(tx, user, whereUnread, ids...)
	return int64(len(rows)), err
}

// recountsUpTo is from how many unread on a mark does not count all of them anew. Every publish waits for it, and would for most
// of a second where somebody with 70,000 reads one. Fewer are counted, so that a wrong count would not outlive the next mark.
const recountsUpTo = 1_000

// recount is the unread count after some notices were marked, of which so many were unread before.
func (n *Notices) recount(tx *gorm.DB, user *models.User, head journal.Head, ids []int64, before int64, back int) (int64, error) {
	known, sure := n.knownUnread(user, head)
	if !sure || known <= n.recountsUpTo || len(ids) == 0 || back > 0 {
		return n.settle(tx, user, head.Offset)
	}
	after, err := n.unreadAmong(tx, user, ids)
	return known - before + after, err
}

// marking reads what a marking is about.
func (n *Notices) marking(tx *gorm.DB, user *models.User, m Marking, head int64) ([]noticeRow, error) {
	switch {
	case m.UpTo != nil && m.Archived == nil && m.Read != nil && *m.Read:
		// Of these alone anything changes, and every publish waits meanwhile.
		floor, err := n.floor(tx, user)
		if err != nil {
			return nil, err
		}
		return n.rows(tx, user, inboxQuery{where: whereUnread, after: floor, before: min(m.UpTo.Offset, head) + 1, limit: math.MaxInt32})
	case m.UpTo != nil:
		return n.rows(tx, user, inboxQuery{where: whereInbox, before: min(m.UpTo.Offset, head) + 1, limit: math.MaxInt32})
	case len(m.IDs) == 0:
		return nil, nil
	default:
		return n.byID(tx, user, whereNotice, m.IDs...)
	}
}

// store writes the marks, and lowers the bound of the unread count where something may be unread again
// below it.
func (n *Notices) store(tx *gorm.DB, user *models.User, m Marking, rows []noticeRow, changed []models.NoticeState) error {
	if len(changed) == 0 {
		return nil
	}
	upsert := clause.OnConflict{Columns: []clause.Column{{Name: "user_id"}, {Name: "notice_id"}}, DoUpdates: clause.AssignmentColumns([]string{"read_at", "archived_at", "snoozed_until"})}
	if err := tx.Clauses(upsert).CreateInBatches(changed, nameChunk/2).Error; err != nil {
		return err
	}
	if (m.Read == nil || *m.Read) && (m.Archived == nil || *m.Archived) && m.Snooze == nil {
		return nil
	}
	oldest := rows[len(rows)-1].LogOffset // they come newest first
	return tx.Exec("UPDATE inboxes SET read_floor = ? WHERE user_id = ? AND read_floor >= ?", oldest-1, user.ID, oldest).Error
}

// settle counts what is unread and raises the bound of the next count to just below what is or will be. Nothing can be
// published meanwhile, for the head stands still.
func (n *Notices) settle(tx *gorm.DB, user *models.User, head int64) (unread int64, err error) {
	unread, oldest, err := n.unread(tx, user)
	if err != nil {
		return 0, err
	}
	floor := head
	if oldest > 0 {
		floor = oldest - 1
	}
	return unread, tx.Exec(`INSERT INTO inboxes (user_id, read_floor) VALUES (?, ?)
		ON CONFLICT (user_id) DO UPDATE SET read_floor = excluded.read_floor`, user.ID, floor).Error
}

// markRows works out the new row of each notice that changes, and the words for what happened.
func markRows(rows []noticeRow, user int64, m Marking, now *models.Instant) (states []string, changed []models.NoticeState) {
	shelved := false
	for _, r := range rows {
		next := models.NoticeState{UserID: user, NoticeID: r.Subject, ReadAt: r.ReadAt, ArchivedAt: r.ArchivedAt, SnoozedUntil: r.SnoozedUntil}
		a := flip(&next.ReadAt, m.Read, now)
		b := flip(&next.ArchivedAt, m.Archived, now)
		c := putOff(&next, m.Snooze)
		if a || b || c {
			changed = append(changed, next)
		}
		shelved = shelved || r.ArchivedAt != nil
	}
	if m.Read != nil {
		states = append(states, word(*m.Read, "read", "unread"))
	}
	if m.Archived != nil {
		states = append(states, word(*m.Archived, "archived", "unarchived"))
	}
	switch {
	case m.Snooze == nil:
	case m.Snooze.Until == nil && (m.Archived == nil || !*m.Archived):
		states = append(states, stateUnsnoozed)
	case m.Snooze.Until != nil:
		if shelved && m.Archived == nil {
			states = append(states, "unarchived")
		}
		states = append(states, "snoozed")
	}
	return states, changed
}

// putOff sets or clears the time until which a notice is away, and says whether that changed anything.
func putOff(next *models.NoticeState, want *Snooze) bool {
	before := next.SnoozedUntil
	switch {
	case next.ArchivedAt != nil && (want == nil || want.Until == nil):
		next.SnoozedUntil = nil
	case want != nil:
		next.SnoozedUntil = want.Until
		if want.Until != nil {
			next.ArchivedAt = nil
		}
	}
	if before == nil || next.SnoozedUntil == nil {
		return before != next.SnoozedUntil
	}
	return *before != *next.SnoozedUntil
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
		if event.State, event.SnoozedUntil = state, nil; state == "snoozed" {
			event.SnoozedUntil = m.Snooze.Until
		}
		drafts[i] = stateDraft(userAudience(user.ID), event, userAudience(user.ID))
	}
	return drafts
}

// stateDraft is the entry that tells audiences of an event.
func stateDraft(actor string, event StateEvent, audiences ...string) journal.Draft {
	payload, err := json.Marshal(event)
	if err != nil {
		panic("services: a state has no JSON: " + err.Error()) // numbers and words always have
	}
	return journal.Draft{Kind: kindNoticeState, Actor: actor, Audiences: audiences, Payload: payload}
}

// MarkOne changes one notice of the user's and gives it; another's is not there.
func (n *Notices) MarkOne(ctx context.Context, user *models.User, id int64, m Marking) (*NoticeView, error) {
	if _, err := n.Get(ctx, user, id); err != nil {
		return nil, err
	}
	m.IDs, m.UpTo = []int64{id}, nil
	if _, err := n.Mark(ctx, user, m); err != nil {
		return nil, err
	}
	return n.Get(ctx, user, id)
}
