package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// kindAccount is the entry that tells of a change of a person's row: what is kept of it in memory is void.
const kindAccount = "account"

// accountEvent is its payload. Whose account was disabled, or is gone, may read no stream any more.
type accountEvent struct {
	State string `json:"state"`
}

const (
	accountChanged  = "changed"
	accountDisabled = "disabled"
)

func accountDraft(user int64, state string) journal.Draft {
	return journal.Draft{Kind: kindAccount, Audiences: []string{userAudience(user)}, Payload: json.RawMessage(`{"state":"` + state + `"}`)}
}

const passwordRule = "A password has 8 to 1,024 characters."

// Users keeps the people.
type Users struct {
	db       *Database
	journal  *journal.Journal
	hasher   *Hasher
	sessions sessionRows
}

// NewUsers makes the service.
func NewUsers(db *Database, j *journal.Journal, h *Hasher) *Users {
	// Without limits: what sessions do here is end, and one that has ended has no deadlines.
	return &Users{db: db, journal: j, hasher: h, sessions: sessionRows{db: db}}
}

// NewUser is what it takes to add a person. An empty display name becomes the username, an empty
// role a plain user.
type NewUser struct {
	Username    string
	DisplayName string
	Password    string
	Role        models.Role
}

func (n *NewUser) check() error {
	var faults []models.FieldError
	if !models.ValidName(n.Username) {
		faults = append(faults, models.FieldError{Field: "username", Detail: models.NameRule})
	}
	if utf8.RuneCountInString(n.DisplayName) > models.MaxDisplayName {
		faults = append(faults, models.FieldError{Field: "display_name", Detail: fmt.Sprintf("At most %d characters.", models.MaxDisplayName)})
	}
	if !models.ValidPassword(n.Password) {
		faults = append(faults, models.FieldError{Field: "password", Detail: passwordRule})
	}
	if n.Role != models.RoleUser && n.Role != models.RoleAdmin {
		faults = append(faults, models.FieldError{Field: "role", Detail: "One of user, admin."})
	}
	return refuse(faults)
}

// refuse makes one error of all faults found; none of none.
func refuse(faults []models.FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	return &models.Error{Code: models.CodeInvalid, Detail: "The input is not valid.", Fields: faults}
}

// Add makes a person. A name that is taken, in whatever case, is a conflict.
func (u *Users) Add(ctx context.Context, n NewUser) (*models.User, error) {
	user, _, err := u.AddOnce(ctx, n, Repeatable{})
	return user, err
}

// AddOnce is Add for a request that may come twice.
func (u *Users) AddOnce(ctx context.Context, n NewUser, once Repeatable) (user *models.User, replayed bool, err error) {
	if n.Role == "" {
		n.Role = models.RoleUser
	}
	if strings.TrimSpace(n.DisplayName) == "" {
		n.DisplayName = n.Username
	}
	if err := n.check(); err != nil {
		return nil, false, err
	}
	hash, err := u.hasher.Hash(ctx, n.Password)
	if err != nil {
		return nil, false, err
	}
	id, replayed, err := u.db.createOnce(ctx, once, func(tx *gorm.DB) (id int64, err error) {
		err = tx.Raw(`INSERT INTO users (username, display_name, role, password_hash, created_at, joined_offset)
			SELECT ?, ?, ?, ?, `+u.db.now()+`, head FROM log_head RETURNING id`, n.Username, n.DisplayName, n.Role, hash).Scan(&id).Error
		if err != nil {
			return 0, err
		}
		return id, u.db.record(tx, Act{Action: "user.added", UserID: id, Detail: map[string]any{"role": n.Role}})
	})
	if isDuplicate(err) {
		return nil, false, errNameTaken
	}
	if err != nil {
		return nil, false, err
	}
	user = &models.User{}
	err = u.db.Write.WithContext(ctx).Take(user, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, false, errGoneAgain
	}
	if replayed { // as it was made then: it may have been changed since
		*user = models.User{ID: id, Username: n.Username, DisplayName: n.DisplayName, Role: n.Role, PasswordHash: hash, CreatedAt: user.CreatedAt}
	}
	return user, replayed, err
}

// Count tells how many people there are.
func (u *Users) Count(ctx context.Context) (n int64, err error) {
	err = u.db.Read.WithContext(ctx).Model(&models.User{}).Count(&n).Error
	return n, err
}

// List gives everybody, by name.
func (u *Users) List(ctx context.Context) (users []models.User, err error) {
	err = u.db.Read.WithContext(ctx).Order("lower(username)").Find(&users).Error
	return users, err
}

// Page gives at most limit people whose user names come after the given one, and whose user name or name shown contains
// the text in any case.
func (u *Users) Page(ctx context.Context, text, after string, limit int) (users []models.User, err error) {
	page := u.db.Read.WithContext(ctx).Where("lower(username) > lower(?)", after)
	if text != "" {
		like := "%" + escapeLike(strings.ToLower(text)) + "%"
		page = page.Where(`(lower(username) LIKE ? ESCAPE '\' OR lower(display_name) LIKE ? ESCAPE '\')`, like, like)
	}
	err = page.Order("lower(username)").Limit(limit).Find(&users).Error
	return users, err
}

// Find gives a person by name.
func (u *Users) Find(ctx context.Context, username string) (*models.User, error) {
	var user models.User
	err := u.db.Write.WithContext(ctx).Take(&user, "lower(username) = lower(?)", username).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, models.ErrNotFound
	}
	return &user, err
}

// UserChange is what may be changed about a person; nil leaves it.
type UserChange struct {
	Username    *string
	DisplayName *string
	Role        *models.Role
	Password    *string
	Disabled    *bool
}

// Update changes a person. A new password, or being disabled, ends the person's sessions. Under another name it is the same
// person: inbox, sessions, groups, and the keys that send to them go with it.
func (u *Users) Update(ctx context.Context, username string, c UserChange) (*models.User, error) {
	user, err := u.Find(ctx, username)
	if err != nil {
		return nil, err
	}
	set, ends, err := u.assignments(ctx, user, c)
	if err != nil || len(set) == 0 {
		return user, err
	}
	_, err = u.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// First, because whoever deletes the person holds the head and waits for their row.
		if err := u.fix(tx, user); err != nil {
			return nil, err
		}
		return u.apply(tx, user, c, set, ends)
	})
	if isDuplicate(err) {
		err = errNameTaken
	}
	if err != nil {
		return nil, err
	}
	return u.byID(ctx, user.ID)
}

// fix holds the head, and reads the person anew: their name may be another since they were found, and keys know them by it.
func (u *Users) fix(tx *gorm.DB, user *models.User) error {
	if _, err := u.journal.Fix(tx); err != nil {
		return err
	}
	now := models.User{}
	err := tx.Take(&now, user.ID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = models.ErrNotFound
	}
	*user = now
	return err
}

func (u *Users) apply(tx *gorm.DB, user *models.User, c UserChange, set map[string]any, ends models.Reason) (drafts []journal.Draft, err error) {
	acts := c.acts(user)
	if err := tx.Model(&models.User{}).Where("id = ?", user.ID).Updates(set).Error; err != nil {
		return nil, err
	}
	if err := keepAdmin(tx, user); err != nil {
		return nil, err
	}
	if c.Username != nil {
		told, keyActs, err := replaceInKeys(tx, usersOf, user.Username, *c.Username)
		if err != nil {
			return nil, err
		}
		drafts, acts = told, append(acts, keyActs...)
	}
	if c.Password != nil {
		if err := voidReset(tx, user.ID); err != nil {
			return nil, err
		}
	}
	if err := u.db.record(tx, acts...); err != nil {
		return nil, err
	}
	if ends == "" {
		return append(drafts, accountDraft(user.ID, accountChanged)), nil
	}
	ended, err := u.endSessions(tx, user.ID, ends)
	return append(drafts, ended...), err
}

func (u *Users) byID(ctx context.Context, id int64) (*models.User, error) {
	var user models.User
	err := u.db.Write.WithContext(ctx).Take(&user, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, models.ErrNotFound
	}
	return &user, err
}

var errNameTaken = models.Errorf(models.CodeConflict, "A user of this name exists already.")

// Rename changes what a person is shown as.
func (u *Users) Rename(ctx context.Context, username, displayName string) (*models.User, error) {
	if strings.TrimSpace(displayName) == "" || utf8.RuneCountInString(displayName) > models.MaxDisplayName {
		return nil, models.InvalidField("display_name", fmt.Sprintf("1 to %d characters.", models.MaxDisplayName))
	}
	return u.Update(ctx, username, UserChange{DisplayName: &displayName})
}

// acts are what the record says of a change.
func (c *UserChange) acts(user *models.User) []Act {
	var acts []Act
	detail := map[string]any{}
	if c.Username != nil && *c.Username != user.Username {
		detail["was"] = user.Username
	}
	if c.DisplayName != nil {
		detail["display_name"] = true // that it changed; names are people's own
	}
	if c.Role != nil {
		detail["role"] = *c.Role
	}
	if len(detail) > 0 {
		acts = append(acts, Act{Action: "user.changed", UserID: user.ID, Detail: detail})
	}
	if c.Password != nil {
		acts = append(acts, Act{Action: "password.changed", UserID: user.ID})
	}
	if c.Disabled != nil && *c.Disabled != (user.DisabledAt != nil) {
		action := "user.enabled"
		if *c.Disabled {
			action = "user.disabled"
		}
		acts = append(acts, Act{Action: action, UserID: user.ID})
	}
	return acts
}

func (u *Users) assignments(ctx context.Context, user *models.User, c UserChange) (set map[string]any, ends models.Reason, err error) {
	check := NewUser{Username: user.Username, DisplayName: user.DisplayName, Role: user.Role, Password: "not to be changed"}
	set = map[string]any{}
	if c.Username != nil {
		check.Username, set["username"] = *c.Username, *c.Username
		if c.DisplayName == nil && user.DisplayName == user.Username {
			check.DisplayName, set["display_name"] = *c.Username, *c.Username
		}
	}
	if c.DisplayName != nil && strings.TrimSpace(*c.DisplayName) == "" {
		c.DisplayName = &user.Username // as when it was left out at first
	}
	if c.DisplayName != nil {
		check.DisplayName, set["display_name"] = *c.DisplayName, *c.DisplayName
	}
	if c.Role != nil {
		check.Role, set["role"] = *c.Role, *c.Role
	}
	if c.Password != nil {
		check.Password = *c.Password
	}
	if err := check.check(); err != nil {
		return nil, "", err
	}
	if c.Password != nil {
		if set["password_hash"], err = u.hasher.Hash(ctx, *c.Password); err != nil {
			return nil, "", err
		}
		ends = models.ReasonPasswordChanged
	}
	switch {
	case c.Disabled == nil || *c.Disabled == (user.DisabledAt != nil):
	case *c.Disabled:
		set["disabled_at"], ends = gorm.Expr(u.db.now()), models.ReasonDisabled
	default:
		set["disabled_at"] = nil
	}
	return set, ends, nil
}

// endSessions ends a person's sessions within the caller's transaction. Streams opened by a key's
// ticket have no session; the account's own entry reaches those when the person is disabled.
func (u *Users) endSessions(tx *gorm.DB, id int64, reason models.Reason) ([]journal.Draft, error) {
	drafts, err := u.sessions.end(tx, reason, "user_id = ?", id)
	state := accountChanged
	if reason == models.ReasonDisabled {
		state = accountDisabled
	}
	return append(drafts, accountDraft(id, state)), err
}

// SetPassword gives a person a new password and ends their sessions.
func (u *Users) SetPassword(ctx context.Context, username, password string) error {
	_, err := u.Update(ctx, username, UserChange{Password: &password})
	return err
}

// Delete removes a person with their sessions, memberships and read marks. What they sent stays.
func (u *Users) Delete(ctx context.Context, username string) error {
	user, err := u.Find(ctx, username)
	if err != nil {
		return err
	}
	_, err = u.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// First, because a mark of this person's holds the head and waits for their row.
		if err := u.fix(tx, user); err != nil {
			return nil, err
		}
		drafts, acts, err := replaceInKeys(tx, usersOf, user.Username, "")
		if err != nil {
			return nil, err
		}
		ended, err := u.endSessions(tx, user.ID, models.ReasonDisabled)
		if err == nil {
			err = u.db.record(tx, append(acts, Act{Action: "user.deleted", UserID: user.ID})...)
		}
		if err == nil {
			err = tx.Delete(user).Error
		}
		if err == nil {
			err = keepAdmin(tx, user)
		}
		return append(drafts, ended...), err
	})
	return err
}

var errLastAdmin = models.Errorf(models.CodeConflict, "Nobody would be left who may administer. Make another administrator first.")

// keepAdmin refuses a change of an administrator that has left none. Whoever changes people holds the head, so that two
// who take the role from each other do it one after the other.
func keepAdmin(tx *gorm.DB, was *models.User) error {
	if was.Role != models.RoleAdmin || was.DisabledAt != nil {
		return nil
	}
	var left bool
	err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM users WHERE role = ? AND disabled_at IS NULL)`, models.RoleAdmin).Scan(&left).Error
	if err == nil && !left {
		err = errLastAdmin
	}
	return err
}
