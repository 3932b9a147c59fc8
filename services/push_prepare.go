package services

import (
	"context"

	"gorm.io/gorm"

	"belfry/models"
)

// prepare finds out what of a claim is to be sent, and makes the messages: what was decided when the notice was published
// may not hold any more.
func (p *Push) prepare(ctx context.Context, list []attempt, private string) error {
	lives, err := p.receivers(ctx, list)
	if err != nil {
		return err
	}
	chosen, err := p.choices(ctx, lives)
	if err != nil {
		return err
	}
	for i := range list {
		a := &list[i]
		a.outcome = pushUnwanted
		if a.subscription == nil || (a.Attempts == 1 && a.NowMs-a.CreatedAt > models.Instant(pushNews.Milliseconds())) {
			continue
		}
		live := lives[a.subscription.SessionID]
		if live == nil || live.Verdict.State == models.SessionEnded {
			continue
		}
		choice := chosen[live.UserID]
		if err := p.compose(ctx, a, live, &choice, private); err != nil {
			return err
		}
	}
	return nil
}

// receivers reads the subscriptions of a claim, and their sessions as they are now.
func (p *Push) receivers(ctx context.Context, list []attempt) (map[string]*Live, error) {
	var ids []int64
	for i := range list {
		ids = append(ids, list[i].SubscriptionID)
	}
	var rows []models.PushSubscription
	if err := p.db.Read.WithContext(ctx).Find(&rows, "id IN ?", ids).Error; err != nil {
		return nil, err
	}
	found, lives := map[int64]*models.PushSubscription{}, map[string]*Live{}
	var sessions []string
	for i := range rows {
		found[rows[i].ID] = &rows[i]
		if _, known := lives[rows[i].SessionID]; !known {
			lives[rows[i].SessionID] = nil
			sessions = append(sessions, rows[i].SessionID)
		}
	}
	for i := range list {
		list[i].subscription = found[list[i].SubscriptionID]
	}
	if len(sessions) == 0 {
		return lives, nil
	}
	read, err := p.sessions.readAll(ctx, sessions...)
	for _, l := range read {
		lives[l.ID] = l
	}
	return lives, err
}

// choices are what those people have chosen.
func (p *Push) choices(ctx context.Context, lives map[string]*Live) (map[int64]models.Preferences, error) {
	var people []int64
	for _, l := range lives {
		if l != nil {
			people = append(people, l.UserID)
		}
	}
	if len(people) == 0 {
		return nil, nil
	}
	return p.chosen.Of(ctx, people...)
}

// compose makes the message, unless the person has no use for it or does not want to be told.
func (p *Push) compose(ctx context.Context, a *attempt, live *Live, chosen *models.Preferences, private string) error {
	return p.db.snapshot(ctx, func(tx *gorm.DB) error {
		rows, err := p.notices.rows(tx, &live.User, inboxQuery{where: whereUnread, after: a.LogOffset - 1, before: a.LogOffset + 1, limit: 1})
		if err != nil || len(rows) == 0 {
			return err // read, withdrawn, expired, superseded, or not theirs any more
		}
		notice, err := rows[0].view("")
		if err != nil {
			return err
		}
		category := ""
		if notice.Category != nil {
			category = *notice.Category
		}
		if !chosen.Popups || chosen.Silences(category, notice.Severity, a.NowMs) {
			return nil
		}
		locked := live.Verdict.State == models.SessionLocked
		unread := int64(0)
		if !locked {
			if unread, _, err = p.notices.unread(tx, &live.User); err != nil {
				return err
			}
		}
		sender := notice.Sender.Type + ":" + notice.Sender.Name
		if a.message, err = pushOf(&notice, a.CreatedAt, sender, unread, locked, private); err == nil && a.message.until > a.NowMs {
			a.outcome = pushSent
		}
		return err
	})
}
