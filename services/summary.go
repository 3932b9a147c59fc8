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
	Until  models.Instant // when the first of the unread expires or comes back; 0 = none does
	Grants []journal.Grant
}

// Summarise reads the head, the unread count and what the user may read, all at one moment.
func (n *Notices) Summarise(ctx context.Context, user *models.User) (Summary, error) {
	s, known, err := n.unsummed.get(ctx, user.ID)
	if err == nil && !known {
		err = models.ErrNotFound
	}
	return s, err
}

// summariseAll is Summarise for many, at the cost of three queries. Who does not exist is left out.
func (n *Notices) summariseAll(ctx context.Context, users ...int64) (all map[int64]Summary, err error) {
	err = n.db.snapshot(ctx, func(tx *gorm.DB) error {
		head, err := journal.HeadIn(tx)
		if err == nil {
			all, err = n.summariseIn(tx, head, users...)
		}
		return err
	})
	return all, err
}

// unreadAt is the unread count in the transaction of the head. It is taken from what streams are told where that is as of the
// same head: to count an inbox of which nothing was ever read is to look at all of it.
func (n *Notices) unreadAt(tx *gorm.DB, user *models.User, head journal.Head) (int64, error) {
	if n.summaries == nil {
		unread, _, err := n.unread(tx, user)
		return unread, err
	}
	if known, sure := n.knownUnread(user, head); sure {
		return known, nil
	}
	all, err := n.summariseIn(tx, head, user.ID)
	if err != nil {
		return 0, err
	}
	read, there := all[user.ID]
	if there && head.Epoch == n.journal.Epoch() {
		n.summaries.put(user.ID, read)
	}
	return read.Unread, nil
}

// knownUnread is the unread count as memory has it, if it has it as of the head.
func (n *Notices) knownUnread(user *models.User, head journal.Head) (unread int64, sure bool) {
	if n.summaries == nil {
		return 0, false
	}
	return n.summaries.unreadAt(user.ID, head)
}

func (n *Notices) summariseIn(tx *gorm.DB, head journal.Head, users ...int64) (map[int64]Summary, error) {
	all := map[int64]Summary{}
	var counts []struct{ ID, Joined, Unread, Until int64 }
	if err := tx.Raw(n.counting, map[string]any{"users": users, "before": int64(math.MaxInt64), "step": int64(math.MaxInt64)}).Scan(&counts).Error; err != nil {
		return nil, err
	}
	var groups []models.Membership
	if err := tx.Where("user_id IN ?", users).Find(&groups).Error; err != nil {
		return nil, err
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
	return all, nil
}

// countingQuery is the query for the unread counts of some users: the one for a single inbox, with the user's columns in
// place of its parameters.
func (n *Notices) countingQuery() string {
	of := strings.NewReplacer("@after", "COALESCE((SELECT read_floor FROM inboxes WHERE inboxes.user_id = u.id), 0)",
		"@me", "'user:' || u.id", "@user", "u.id", "@joined", "u.joined_offset").Replace(n.fitting(whereToRead))
	const (
		unread = "count(*) FILTER (WHERE NOT snoozed)"
		until  = "COALESCE(min(CASE WHEN snoozed THEN snoozed_until ELSE expires_at END), 0)"
	)
	count := "(SELECT %s FROM (" + of + ") AS counted WHERE fits)"
	if n.db.Dialect == Postgres {
		return "SELECT u.id, u.joined_offset AS joined, counted.unread, counted.until FROM users u CROSS JOIN LATERAL " +
			fmt.Sprintf(count, unread+" AS unread, "+until+" AS until") + " AS counted WHERE u.id IN @users"
	}
	return "SELECT u.id, u.joined_offset AS joined, " + fmt.Sprintf(count, unread) + " AS unread, " +
		fmt.Sprintf(count, until) + " AS until FROM users u WHERE u.id IN @users"
}

// summarise gives what a hello says of a person, as of an offset or later: what the stream begins behind is counted.
func (s *Streams) summarise(ctx context.Context, user *models.User, offset int64) (Summary, error) {
	if now, fresh := s.journal.Fresh(); fresh {
		if known, ok := s.summaries.get(user.ID, s.journal.Trimmed(), models.Instant(now)); ok && known.Head.Offset >= offset {
			return known, nil
		}
	}
	read, err := s.summary(ctx, user)
	if err == nil && read.Head.Epoch == s.journal.Epoch() {
		s.summaries.put(user.ID, read)
	}
	return read, err
}
