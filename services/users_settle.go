package services

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// WantedUser says how a person is to be; what is nil stays as it is, or is the default of who is new.
type WantedUser struct {
	Username    string
	DisplayName *string
	Role        *models.Role
	Disabled    *bool
	Groups      []string // to be in; others are left as they are
}

// MaxWantedGroups bounds the groups that one call names.
const MaxWantedGroups = 100

// SettledUser is a person who now is as wanted, and what it took.
type SettledUser struct {
	models.User
	Added   bool
	Changed []string // the fields, by their names in the API; of who was added only groups
}

// Result is what it took in one word: added, changed or unchanged.
func (s *SettledUser) Result() string {
	switch {
	case s.Added:
		return "added"
	case len(s.Changed) > 0:
		return "changed"
	}
	return "unchanged"
}

// errTried takes everything back that a transaction has done.
var errTried = errors.New("services: only tried")

// Settle makes a person as wanted, all of it or nothing: it adds who is not there, without a password, changes what differs,
// and lets them join the groups, from now on. Once more it changes nothing. With dry it only tells what it would do.
func (u *Users) Settle(ctx context.Context, w WantedUser, dry bool) (*SettledUser, error) {
	if len(w.Groups) > MaxWantedGroups {
		return nil, models.InvalidField("groups", "At most 100.")
	}
	var s *settling
	_, err := u.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// First, as whoever deletes the person or a group does; and a membership holds the offset of its own entry.
		head, err := u.journal.Fix(tx)
		if err != nil {
			return nil, err
		}
		s = &settling{Users: u, tx: tx, next: head.Offset + 1}
		if err := s.person(ctx, w); err != nil {
			return nil, err
		}
		if err := s.groups(w.Groups); err != nil {
			return nil, err
		}
		if dry {
			return nil, errTried
		}
		return s.drafts, nil
	})
	switch {
	case isDuplicate(err):
		return nil, errNameTaken // added by another request a moment ago
	case err != nil && !errors.Is(err, errTried):
		return nil, err
	}
	return &s.SettledUser, nil
}

// settling is one person being made as wanted, in a transaction.
type settling struct {
	*Users
	SettledUser
	tx     *gorm.DB
	next   int64 // the offset that the first draft will have
	drafts []journal.Draft
}

func (s *settling) person(ctx context.Context, w WantedUser) error {
	err := s.tx.Take(&s.User, "lower(username) = lower(?)", w.Username).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return s.add(w)
	}
	if err != nil {
		return err
	}
	change := s.difference(w)
	set, ends, err := s.assignments(ctx, &s.User, change)
	if err != nil || len(set) == 0 {
		return err
	}
	if s.drafts, err = s.apply(s.tx, &s.User, change, set, ends); err != nil {
		return err
	}
	return s.tx.Take(&s.User, s.User.ID).Error
}

// add makes a person without a password: what fits none is an empty hash.
func (s *settling) add(w WantedUser) error {
	n := NewUser{Username: w.Username, DisplayName: w.Username, Role: models.RoleUser, Password: "not to be changed"}
	if w.DisplayName != nil && strings.TrimSpace(*w.DisplayName) != "" {
		n.DisplayName = *w.DisplayName
	}
	if w.Role != nil {
		n.Role = *w.Role
	}
	if err := n.check(); err != nil {
		return err
	}
	disabled := "NULL"
	if w.Disabled != nil && *w.Disabled {
		disabled = s.db.now()
	}
	err := s.tx.Raw(`INSERT INTO users (username, display_name, role, password_hash, created_at, joined_offset, disabled_at)
		SELECT ?, ?, ?, '', `+s.db.now()+`, head, `+disabled+` FROM log_head RETURNING *`, n.Username, n.DisplayName, n.Role).Scan(&s.User).Error
	if err != nil {
		return err
	}
	s.Added = true
	return s.db.record(s.tx, Act{Action: "user.added", UserID: s.User.ID, Detail: map[string]any{"role": n.Role}})
}

// difference is what of the wanted is not so yet.
func (s *settling) difference(w WantedUser) (c UserChange) {
	if w.DisplayName != nil && strings.TrimSpace(*w.DisplayName) == "" {
		w.DisplayName = &s.Username // as of who is new
	}
	if w.DisplayName != nil && *w.DisplayName != s.DisplayName {
		c.DisplayName, s.Changed = w.DisplayName, append(s.Changed, "display_name")
	}
	if w.Role != nil && *w.Role != s.Role {
		c.Role, s.Changed = w.Role, append(s.Changed, "role")
	}
	if w.Disabled != nil && *w.Disabled != (s.DisabledAt != nil) {
		c.Disabled, s.Changed = w.Disabled, append(s.Changed, "disabled")
	}
	return c
}

func (s *settling) groups(names []string) error {
	for _, name := range names {
		group, err := groupByName(s.tx, name)
		if models.CodeOf(err) == models.CodeNotFound {
			return models.InvalidField("groups", unknownGroup+name+".")
		}
		if err != nil {
			return err
		}
		event, err := join(s.tx, group.ID, s.User.ID, s.next+int64(len(s.drafts)))
		if err != nil {
			return err
		}
		if event == nil {
			continue // is in it
		}
		act := groupAct("joined", group.Name)
		act.UserID = s.User.ID
		if err := s.db.record(s.tx, act); err != nil {
			return err
		}
		s.drafts = append(s.drafts, membershipDraft(s.User.ID, *event))
		if !slices.Contains(s.Changed, "groups") {
			s.Changed = append(s.Changed, "groups")
		}
	}
	return nil
}
