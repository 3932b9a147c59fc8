package services

import (
	"context"
	"fmt"
	"math"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Summary is what a stream's hello says: the count as of the head, and what the person may read.
type Summary struct {
	Head   journal.Head
	Unread int64
	Now    models.Instant
	Until  models.Instant // when the first of the unread expires; 0 = none does
	Grants []journal.Grant
}

// Summarise reads the head, the unread count and what the user may read, all at one moment.
func (n *Notices) Summarise(ctx context.Context, user *models.User) (Summary, error) {
	all, err := n.summariseAll(ctx, user.ID)
	if err != nil {
		return Summary{}, err
	}
	s, known := all[user.ID]
	if !known {
		return Summary{}, models.ErrNotFound
	}
	return s, nil
}

// summariseAll is Summarise for many, at the cost of three queries. Who does not exist is left out.
func (n *Notices) summariseAll(ctx context.Context, users ...int64) (map[int64]Summary, error) {
	all := map[int64]Summary{}
	err := n.db.snapshot(ctx, func(tx *gorm.DB) error {
		head, err := journal.HeadIn(tx)
		if err != nil {
			return err
		}
		var counts []struct{ ID, Joined, Unread, Until int64 }
		if err := tx.Raw(n.counting(), map[string]any{"users": users, "before": int64(math.MaxInt64), "step": int64(math.MaxInt64)}).Scan(&counts).Error; err != nil {
			return err
		}
		var groups []models.Membership
		if err := tx.Where("user_id IN ?", users).Find(&groups).Error; err != nil {
			return err
		}
		for _, c := range counts {
			all[c.ID] = Summary{Head: head, Unread: c.Unread, Until: models.Instant(c.Until), Now: models.Instant(head.Now),
				Grants: []journal.Grant{{Audience: userAudience(c.ID)}, {Audience: everyone, After: c.Joined}}}
		}
		for _, g := range groups {
			if s, known := all[g.UserID]; known {
				s.Grants = append(s.Grants, journal.Grant{Audience: groupAudience(g.GroupID), After: g.JoinedOffset})
				all[g.UserID] = s
			}
		}
		return nil
	})
	return all, err
}

// counting is the query for the unread counts of some users: the one for a single inbox, with the user's columns in
// place of its parameters.
func (n *Notices) counting() string {
	of := strings.NewReplacer("@after", "COALESCE((SELECT read_floor FROM inboxes WHERE inboxes.user_id = u.id), 0)",
		"@me", "'user:' || u.id", "@user", "u.id", "@joined", "u.joined_offset").Replace(n.fitting(whereUnread))
	count := "(SELECT %s FROM (" + of + ") AS counted WHERE fits)"
	if n.db.Dialect == Postgres {
		return "SELECT u.id, u.joined_offset AS joined, counted.unread, counted.until FROM users u CROSS JOIN LATERAL " +
			fmt.Sprintf(count, "count(*) AS unread, COALESCE(min(expires_at), 0) AS until") + " AS counted WHERE u.id IN @users"
	}
	return "SELECT u.id, u.joined_offset AS joined, " + fmt.Sprintf(count, "count(*)") + " AS unread, " +
		fmt.Sprintf(count, "COALESCE(min(expires_at), 0)") + " AS until FROM users u WHERE u.id IN @users"
}
