package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"belfry/models"
	"belfry/services/journal"
)

// kindMembership is the entry by which open streams learn of a group that was joined or left.
const kindMembership = "membership"

// kindGroupRemoved is the entry that makes void what is kept of the group in memory.
const kindGroupRemoved = "group_removed"

// Groups keeps the named sets of people.
type Groups struct {
	db      *Database
	journal *journal.Journal
}

// NewGroups makes the service.
func NewGroups(db *Database, j *journal.Journal) *Groups { return &Groups{db: db, journal: j} }

// GroupView is a group with the names of its members.
type GroupView struct {
	models.Group
	Members []string
}

// Add makes an empty group. A name that is taken, in whatever case, is a conflict.
func (g *Groups) Add(ctx context.Context, name, displayName string) (*models.Group, error) {
	group, _, err := g.AddOnce(ctx, name, displayName, Repeatable{})
	return group, err
}

// AddOnce is Add for a request that may come twice.
func (g *Groups) AddOnce(ctx context.Context, name, displayName string, once Repeatable) (group *models.Group, replayed bool, err error) {
	var faults []models.FieldError
	if !models.ValidName(name) {
		faults = append(faults, models.FieldError{Field: "name", Detail: models.NameRule})
	}
	if utf8.RuneCountInString(displayName) > models.MaxDisplayName {
		faults = append(faults, models.FieldError{Field: "display_name", Detail: fmt.Sprintf("At most %d characters.", models.MaxDisplayName)})
	}
	if err := refuse(faults); err != nil {
		return nil, false, err
	}
	if displayName == "" {
		displayName = name
	}
	id, replayed, err := g.db.createOnce(ctx, once, func(tx *gorm.DB) (id int64, err error) {
		err = tx.Raw(`INSERT INTO groups (name, display_name, created_at) VALUES (?, ?, `+g.db.now()+`) RETURNING id`, name, displayName).Scan(&id).Error
		return id, err
	})
	if isDuplicate(err) {
		return nil, false, models.Errorf(models.CodeConflict, "A group of this name exists already.")
	}
	if err != nil {
		return nil, false, err
	}
	group = &models.Group{}
	err = g.db.Write.WithContext(ctx).Take(group, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, false, models.Errorf(models.CodeConflict, "What this request made is gone again.")
	}
	return group, replayed, err
}

// List gives every group with its members, by name.
func (g *Groups) List(ctx context.Context) ([]GroupView, error) { return g.views(ctx, "", "") }

// Find gives one group with its members.
func (g *Groups) Find(ctx context.Context, name string) (*GroupView, error) {
	views, err := g.views(ctx, " WHERE lower(g.name) = lower(?)", name)
	if err == nil && len(views) == 0 {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &views[0], nil
}

func (g *Groups) views(ctx context.Context, where, name string) ([]GroupView, error) {
	var rows []struct {
		models.Group
		Member *string
	}
	query := `SELECT g.*, u.username AS member FROM groups g LEFT JOIN memberships m ON m.group_id = g.id
		LEFT JOIN users u ON u.id = m.user_id` + where + ` ORDER BY lower(g.name), lower(u.username)`
	var args []any
	if where != "" {
		args = append(args, name)
	}
	if err := g.db.Write.WithContext(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
		return nil, err
	}
	var views []GroupView
	for _, r := range rows {
		if len(views) == 0 || views[len(views)-1].ID != r.ID {
			views = append(views, GroupView{Group: r.Group, Members: []string{}})
		}
		if r.Member != nil {
			last := &views[len(views)-1]
			last.Members = append(last.Members, *r.Member)
		}
	}
	return views, nil
}

// Rename changes what a group is shown as.
func (g *Groups) Rename(ctx context.Context, name, displayName string) error {
	if n := utf8.RuneCountInString(displayName); n < 1 || n > models.MaxDisplayName {
		return models.InvalidField("display_name", fmt.Sprintf("1 to %d characters.", models.MaxDisplayName))
	}
	done := g.db.Write.WithContext(ctx).Exec("UPDATE groups SET display_name = ? WHERE lower(name) = lower(?)", displayName, name)
	if done.Error == nil && done.RowsAffected == 0 {
		return models.ErrNotFound
	}
	return done.Error
}

// Remove deletes a group. What was sent to it leaves its members' inboxes, for an inbox is what is
// addressed to whoever one is now.
func (g *Groups) Remove(ctx context.Context, name string) error {
	_, err := g.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		group, err := groupByName(tx, name)
		if err != nil {
			return nil, err
		}
		// First, because a mark of a member's holds the head and waits for their inbox.
		if _, err := g.journal.Fix(tx); err != nil {
			return nil, err
		}
		var members []int64
		if err := tx.Model(&models.Membership{}).Where("group_id = ?", group.ID).Pluck("user_id", &members).Error; err != nil {
			return nil, err
		}
		if err := forgetFloor(tx, members...); err != nil {
			return nil, err
		}
		if err := tx.Delete(group).Error; err != nil {
			return nil, err
		}
		drafts := make([]journal.Draft, len(members), len(members)+1)
		for i, m := range members {
			drafts[i] = membershipDraft(m, membershipEvent{GroupID: group.ID})
		}
		return append(drafts, journal.Draft{Kind: kindGroupRemoved, Audiences: []string{groupAudience(group.ID)}, Payload: json.RawMessage("{}")}), nil
	})
	return err
}

// Join puts people into a group, from now on: what the group was sent before is not theirs. Who is
// in it stays as they are.
func (g *Groups) Join(ctx context.Context, name string, usernames ...string) error {
	return g.change(ctx, name, usernames, func(tx *gorm.DB, group, user, next int64) (*membershipEvent, error) {
		made := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&models.Membership{GroupID: group, UserID: user, JoinedOffset: next})
		if made.Error != nil || made.RowsAffected == 0 {
			return nil, made.Error
		}
		return &membershipEvent{GroupID: group, JoinedOffset: next}, nil
	})
}

// Leave takes people out of a group, and what it was sent out of their inboxes.
func (g *Groups) Leave(ctx context.Context, name string, usernames ...string) error {
	return g.change(ctx, name, usernames, func(tx *gorm.DB, group, user, _ int64) (*membershipEvent, error) {
		gone := tx.Delete(&models.Membership{}, "group_id = ? AND user_id = ?", group, user)
		if gone.Error != nil || gone.RowsAffected == 0 {
			return nil, gone.Error
		}
		return &membershipEvent{GroupID: group}, forgetFloor(tx, user)
	})
}

// membershipEvent tells a stream's node what changed; JoinedOffset 0 = left.
type membershipEvent struct {
	GroupID      int64 `json:"group_id"`
	JoinedOffset int64 `json:"joined_offset,omitempty"`
}

// change applies the same to each of the people, in one transaction. apply is told the offset that
// the entry of its change will have, and gives no event where nothing changed.
func (g *Groups) change(ctx context.Context, name string, usernames []string,
	apply func(tx *gorm.DB, group, user, next int64) (*membershipEvent, error)) error {
	_, err := g.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		group, err := groupByName(tx, name)
		if err != nil {
			return nil, err
		}
		ids, err := userIDs(tx, usernames, "usernames")
		if err != nil {
			return nil, err
		}
		// The row holds the offset of its own entry, so that inbox, replay and open streams agree on
		// what is newer than the joining.
		head, err := g.journal.Fix(tx)
		if err != nil {
			return nil, err
		}
		var drafts []journal.Draft
		for _, id := range ids {
			event, err := apply(tx, group.ID, id, head.Offset+int64(len(drafts))+1)
			if err != nil {
				return nil, err
			}
			if event != nil {
				drafts = append(drafts, membershipDraft(id, *event))
			}
		}
		return drafts, nil
	})
	return err
}

func membershipDraft(user int64, event membershipEvent) journal.Draft {
	payload, err := json.Marshal(event)
	if err != nil {
		panic("services: a membership has no JSON: " + err.Error()) // numbers always have
	}
	return journal.Draft{Kind: kindMembership, Audiences: []string{userAudience(user)}, Payload: payload}
}

func groupByName(tx *gorm.DB, name string) (*models.Group, error) {
	var group models.Group
	err := tx.Take(&group, "lower(name) = lower(?)", name).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, models.ErrNotFound
	}
	return &group, err
}
