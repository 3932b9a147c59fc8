package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"belfry/models"
	"belfry/services/journal"
)

// kindMembership is the entry by which open streams learn of a group that was joined or left.
const kindMembership = "membership"

// kindGroupChanged is the entry that makes void what is kept of the group in memory: it has another name, or is disabled or not.
const kindGroupChanged = "group_changed"

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
		if err != nil {
			return 0, err
		}
		return id, g.db.record(tx, groupAct("added", name))
	})
	if isDuplicate(err) {
		return nil, false, errGroupTaken
	}
	if err != nil {
		return nil, false, err
	}
	group = &models.Group{}
	err = g.db.Write.WithContext(ctx).Take(group, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, false, errGoneAgain
	}
	if replayed { // as it was made then: it may have been changed since
		*group = models.Group{ID: id, Name: name, DisplayName: displayName, CreatedAt: group.CreatedAt}
	}
	return group, replayed, err
}

var errGroupTaken = models.Errorf(models.CodeConflict, "A group of this name exists already.")

// List gives every group with its members, by name.
func (g *Groups) List(ctx context.Context) ([]GroupView, error) { return g.views(ctx, "", nil) }

// Find gives one group with its members.
func (g *Groups) Find(ctx context.Context, name string) (*GroupView, error) {
	return g.one(ctx, " WHERE lower(g.name) = lower(?)", name)
}

func (g *Groups) one(ctx context.Context, where string, which any) (*GroupView, error) {
	views, err := g.views(ctx, where, which)
	if err == nil && len(views) == 0 {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &views[0], nil
}

func (g *Groups) views(ctx context.Context, where string, which any) ([]GroupView, error) {
	var rows []struct {
		models.Group
		Usernames *string
	}
	// As one text for each group: all groups together may have some hundred thousand members, and a row of each would take five times
	// as long. No name has a space in it.
	joined := "group_concat"
	if g.db.Dialect == Postgres {
		joined = "string_agg"
	}
	query := `SELECT g.*, ` + joined + `(u.username, ' ') AS usernames FROM groups g LEFT JOIN memberships m ON m.group_id = g.id
		LEFT JOIN users u ON u.id = m.user_id` + where + ` GROUP BY g.id ORDER BY lower(g.name)`
	var args []any
	if where != "" {
		args = append(args, which)
	}
	if err := g.db.Write.WithContext(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
		return nil, err
	}
	views := make([]GroupView, len(rows))
	for i, r := range rows {
		views[i] = GroupView{Group: r.Group, Members: []string{}}
		if r.Usernames != nil {
			views[i].Members = strings.Fields(*r.Usernames)
			slices.SortFunc(views[i].Members, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
		}
	}
	return views, nil
}

// GroupChange is what may be changed about a group; nil leaves it.
type GroupChange struct {
	Name        *string
	DisplayName *string
	Disabled    *bool
}

func (c *GroupChange) faults() (faults []models.FieldError) {
	if c.Name != nil && !models.ValidName(*c.Name) {
		faults = append(faults, models.FieldError{Field: "name", Detail: models.NameRule})
	}
	if c.DisplayName == nil {
		return faults
	}
	if n := utf8.RuneCountInString(*c.DisplayName); n < 1 || n > models.MaxDisplayName {
		faults = append(faults, models.FieldError{Field: "display_name", Detail: fmt.Sprintf("1 to %d characters.", models.MaxDisplayName)})
	}
	return faults
}

// Update changes a group, which stays the same one under another name: its members, what it was sent, what waits for its time
// and the keys that send to it go with it. A disabled group is refused where a notice or task names it; what was accepted
// before is delivered.
func (g *Groups) Update(ctx context.Context, name string, c GroupChange) (*GroupView, error) {
	if err := refuse(c.faults()); err != nil {
		return nil, err
	}
	var id int64
	_, err := g.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// First, because whoever removes the group holds the head and waits for its row.
		if _, err := g.journal.Fix(tx); err != nil {
			return nil, err
		}
		group, err := groupByName(tx, name)
		if err != nil {
			return nil, err
		}
		id = group.ID
		return g.apply(tx, group, c)
	})
	if isDuplicate(err) {
		err = errGroupTaken
	}
	if err != nil {
		return nil, err
	}
	return g.one(ctx, " WHERE g.id = ?", id)
}

// apply changes the row, and gives the entries by which nodes forget what they have kept of it.
func (g *Groups) apply(tx *gorm.DB, group *models.Group, c GroupChange) ([]journal.Draft, error) {
	was := group.Name
	set, acts := g.assignments(group, c)
	if len(set) == 0 {
		return nil, nil
	}
	if err := tx.Model(group).Updates(set).Error; err != nil {
		return nil, err
	}
	var drafts []journal.Draft
	if c.Name != nil && *c.Name != was {
		told, keyActs, err := replaceInKeys(tx, groupsOf, was, *c.Name)
		if err != nil {
			return nil, err
		}
		drafts, acts = told, append(acts, keyActs...)
	}
	// Last: a node that has forgotten the old name already, and a key with it not yet, would refuse what the key sends.
	drafts = append(drafts, journal.Draft{Kind: kindGroupChanged, Audiences: []string{groupAudience(group.ID)}, Payload: json.RawMessage("{}")})
	return drafts, g.db.record(tx, acts...)
}

// assignments are what changes of the row, and what the record says of it. A display name that was the name follows it.
func (g *Groups) assignments(group *models.Group, c GroupChange) (set map[string]any, acts []Act) {
	if c.DisplayName == nil && group.DisplayName == group.Name {
		c.DisplayName = c.Name
	}
	set = map[string]any{}
	changed := groupAct("changed", group.Name)
	if c.Name != nil && *c.Name != group.Name {
		set["name"], changed.Detail["name"] = *c.Name, *c.Name
	}
	if c.DisplayName != nil && *c.DisplayName != group.DisplayName {
		set["display_name"] = *c.DisplayName
	}
	if len(set) > 0 {
		acts = append(acts, changed)
	}
	switch {
	case c.Disabled == nil || *c.Disabled == (group.DisabledAt != nil):
	case *c.Disabled:
		set["disabled_at"], acts = gorm.Expr(g.db.now()), append(acts, groupAct("disabled", group.Name))
	default:
		set["disabled_at"], acts = nil, append(acts, groupAct("enabled", group.Name))
	}
	return set, acts
}

// groupAct is what the record says of a group.
func groupAct(verb, name string) Act {
	return Act{Action: "group." + verb, Detail: map[string]any{"group": name}}
}

// Remove deletes a group. What was sent to it leaves its members' inboxes, for an inbox is what is
// addressed to whoever one is now.
func (g *Groups) Remove(ctx context.Context, name string) error {
	_, err := g.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// First, because a mark of a member's holds the head and waits for their inbox, and whoever renames the group does too.
		if _, err := g.journal.Fix(tx); err != nil {
			return nil, err
		}
		group, err := groupByName(tx, name)
		if err != nil {
			return nil, err
		}
		var members []int64
		if err := tx.Model(&models.Membership{}).Where("group_id = ?", group.ID).Pluck("user_id", &members).Error; err != nil {
			return nil, err
		}
		// As forgetFloor, but not by their ids: a statement takes fewer parameters than a group may have members.
		if err := tx.Exec("DELETE FROM inboxes WHERE user_id IN (SELECT user_id FROM memberships WHERE group_id = ?)", group.ID).Error; err != nil {
			return nil, err
		}
		if err := tx.Delete(group).Error; err != nil {
			return nil, err
		}
		drafts, acts, err := replaceInKeys(tx, groupsOf, group.Name, "")
		if err != nil {
			return nil, err
		}
		if err := g.db.record(tx, append(acts, groupAct("deleted", group.Name))...); err != nil {
			return nil, err
		}
		for _, m := range members {
			drafts = append(drafts, membershipDraft(m, membershipEvent{GroupID: group.ID}))
		}
		return append(drafts, journal.Draft{Kind: kindGroupRemoved, Audiences: []string{groupAudience(group.ID)}, Payload: json.RawMessage("{}")}), nil
	})
	return err
}

// Join puts people into a group, from now on: what the group was sent before is not theirs. Who is
// in it stays as they are.
func (g *Groups) Join(ctx context.Context, name string, usernames ...string) error {
	return g.change(ctx, "joined", name, usernames, join)
}

// join makes one a member from the entry at next on; no event where they are one.
func join(tx *gorm.DB, group, user, next int64) (*membershipEvent, error) {
	made := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&models.Membership{GroupID: group, UserID: user, JoinedOffset: next})
	if made.Error != nil || made.RowsAffected == 0 {
		return nil, made.Error
	}
	return &membershipEvent{GroupID: group, JoinedOffset: next}, nil
}

// Leave takes people out of a group, and what it was sent out of their inboxes.
func (g *Groups) Leave(ctx context.Context, name string, usernames ...string) error {
	return g.change(ctx, "left", name, usernames, func(tx *gorm.DB, group, user, _ int64) (*membershipEvent, error) {
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
func (g *Groups) change(ctx context.Context, verb, name string, usernames []string,
	apply func(tx *gorm.DB, group, user, next int64) (*membershipEvent, error)) error {
	_, err := g.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// The row holds the offset of its own entry, so that inbox, replay and open streams agree on what is newer than the
		// joining. First, because whoever deletes the group or one of the people holds the head too.
		head, err := g.journal.Fix(tx)
		if err != nil {
			return nil, err
		}
		group, err := groupByName(tx, name)
		if err != nil {
			return nil, err
		}
		ids, err := userIDs(tx, usernames, "usernames")
		if err != nil {
			return nil, err
		}
		var drafts []journal.Draft
		var acts []Act
		for _, id := range ids {
			event, err := apply(tx, group.ID, id, head.Offset+int64(len(drafts))+1)
			if err != nil {
				return nil, err
			}
			if event != nil {
				drafts = append(drafts, membershipDraft(id, *event))
				act := groupAct(verb, group.Name)
				act.UserID = id
				acts = append(acts, act)
			}
		}
		return drafts, g.db.record(tx, acts...)
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
