package services

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// stateUnsnoozed is the state of what is back in the inbox.
const stateUnsnoozed = "unsnoozed"

// clockActor is the actor of what happens because its time has come.
const clockActor = "system"

// Bounds of what one transaction brings back: the counts that go with it are taken while every publish waits.
const (
	wakePeople  = 20
	wakeNotices = 1_000 // of one person
)

// countingFor is how long the counts of one transaction may take before the next one has but one.
const countingFor = 50 * time.Millisecond

// paced is how many the next transaction takes of what goes out with counts. It begins with one, and ends there again where
// counting took long: the count of somebody with 70,000 unread takes a second, and 20 of those more than a transaction may.
func paced(size, most int, took time.Duration) int {
	if took > countingFor {
		return 1
	}
	return min(2*size, most)
}

// Wake tells people's streams that what they had put off is back. Inboxes and counts do not wait for it: they go by the
// clock. That is asked once a statement: asked for each row it would keep PostgreSQL from using the index.
func (n *Notices) Wake(ctx context.Context) error {
	for size := 1; ctx.Err() == nil; {
		var due []int64
		err := n.db.Read.WithContext(ctx).Raw("SELECT DISTINCT user_id FROM (SELECT user_id FROM notice_states WHERE snoozed_until <= "+
			n.db.moment()+" ORDER BY snoozed_until LIMIT ?) AS first", size).Scan(&due).Error
		if err != nil || len(due) == 0 {
			return err
		}
		_, err = n.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
			began := time.Now()
			defer func() { size = paced(size, wakePeople, time.Since(began)) }()
			return n.wakeAll(tx, due)
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wakeAll is conditional: of several nodes that find a snooze ended one tells of it. The head is fixed before any row is
// changed, as Mark does, or the two could wait for each other.
func (n *Notices) wakeAll(tx *gorm.DB, people []int64) ([]journal.Draft, error) {
	if _, err := n.journal.Fix(tx); err != nil {
		return nil, err
	}
	var users []models.User
	if err := tx.Where("id IN ?", people).Order("id").Find(&users).Error; err != nil {
		return nil, err
	}
	var drafts []journal.Draft
	for i := range users {
		back, err := n.wake(tx, &users[i])
		if err != nil {
			return nil, err
		}
		if len(back) == 0 {
			continue
		}
		unread, _, err := n.unread(tx, &users[i])
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, backDrafts(&users[i], back, unread)...)
	}
	return drafts, nil
}

// wake ends the user's snoozes whose time has come, and gives those notices that are in the inbox again, newest first.
// What was withdrawn, has expired or was superseded meanwhile is not, and there is nothing to tell.
func (n *Notices) wake(tx *gorm.DB, user *models.User) ([]int64, error) {
	var due []int64
	err := tx.Raw(`UPDATE notice_states SET snoozed_until = NULL WHERE user_id = @user AND notice_id IN (
		SELECT notice_id FROM notice_states WHERE user_id = @user AND snoozed_until <= `+n.db.moment()+` ORDER BY snoozed_until LIMIT @most) RETURNING notice_id`,
		map[string]any{"user": user.ID, "most": wakeNotices}).Scan(&due).Error
	if err != nil || len(due) == 0 {
		return nil, err
	}
	var back []int64
	for ids := range slices.Chunk(due, nameChunk) {
		rows, err := n.byID(tx, user, whereInbox, ids...)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			back = append(back, rows[i].Subject)
		}
	}
	slices.SortFunc(back, func(a, b int64) int { return cmp.Compare(b, a) })
	return back, nil
}

func backDrafts(user *models.User, back []int64, unread int64) []journal.Draft {
	if len(back) == 0 {
		return nil
	}
	return []journal.Draft{stateDraft(clockActor, StateEvent{IDs: back, State: stateUnsnoozed, Unread: &unread}, userAudience(user.ID))}
}

// checkMarking refuses a snooze that no list of notices goes with, that would archive as well, or that ends at no time to come.
func checkMarking(m Marking, now models.Instant) error {
	switch {
	case m.Snooze == nil:
		return nil
	case m.UpTo != nil:
		return models.InvalidField("snoozed_until", "With ids only.")
	case m.Snooze.Until == nil:
		return nil
	case m.Archived != nil && *m.Archived:
		return models.InvalidField("snoozed_until", "Not together with archived.")
	case *m.Snooze.Until <= now || *m.Snooze.Until > now+models.Instant(models.MaxSnooze.Milliseconds()):
		return models.InvalidField("snoozed_until", "A time to come, at most a year ahead.")
	}
	return nil
}
