package services

import (
	"context"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// expireBatch is how many notices one transaction tells of: the counts that go with them are taken while every publish waits.
const expireBatch = 20

// Expire tells the streams of those it was for that a notice's time is over. Inboxes and counts do not wait for it: they go
// by the clock.
func (n *Notices) Expire(ctx context.Context) error {
	for size := 1; ctx.Err() == nil; {
		var due []int64
		err := n.db.Read.WithContext(ctx).Raw("SELECT log_offset FROM entries WHERE kind = 'notice' AND expires_at IS NOT NULL AND expired_at IS NULL AND expires_at <= "+
			n.db.moment()+" ORDER BY expires_at LIMIT ?", size).Scan(&due).Error
		if err != nil || len(due) == 0 {
			return err
		}
		all := len(due) < size
		_, err = n.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
			began := time.Now()
			defer func() { size = paced(size, expireBatch, time.Since(began)) }()
			return n.expire(tx, due)
		})
		if err != nil || all {
			return err
		}
	}
	return ctx.Err()
}

// expire is conditional: of several nodes that find a notice due one tells of it.
func (n *Notices) expire(tx *gorm.DB, due []int64) ([]journal.Draft, error) {
	var rows []struct {
		Subject     int64
		Audiences   string
		WithdrawnAt *int64
	}
	err := tx.Raw("UPDATE entries SET expired_at = "+n.db.now()+" WHERE log_offset IN ? AND expired_at IS NULL RETURNING subject, audiences, withdrawn_at", due).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	byAudience := map[string][]int64{}
	var order []string
	for _, r := range rows {
		if r.WithdrawnAt != nil {
			continue // it is gone already
		}
		if byAudience[r.Audiences] == nil {
			order = append(order, r.Audiences)
		}
		byAudience[r.Audiences] = append(byAudience[r.Audiences], r.Subject)
	}
	if _, err := n.journal.Fix(tx); err != nil { // the counts have to be true at their own place in the log
		return nil, err
	}
	drafts := make([]journal.Draft, 0, len(order))
	for _, audiences := range order {
		event := StateEvent{IDs: byAudience[audiences], State: "expired"}
		if event.Unread, err = n.unreadOf(tx, audiences); err != nil {
			return nil, err
		}
		drafts = append(drafts, stateDraft(clockActor, event, strings.Fields(audiences)...))
	}
	return drafts, nil
}

// unreadOf counts for a single person; nil where the audience is more than one, or gone.
func (n *Notices) unreadOf(tx *gorm.DB, audiences string) (*int64, error) {
	to := parseAudiences(audiences)
	if to.everyone || len(to.groups) > 0 || len(to.users) != 1 {
		return nil, nil //nolint:nilnil // no count is an answer here
	}
	var user models.User
	if err := tx.Take(&user, to.users[0]).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = nil
		}
		return nil, err
	}
	unread, _, err := n.unread(tx, &user)
	return &unread, err
}
