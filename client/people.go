package client

import (
	"context"
	"net/http"
	"time"
)

// The roles of a [User].
const (
	RoleUser  = "user"
	RoleAdmin = "admin"
)

// User is a person who can sign in.
type User struct {
	Username    string    `json:"username"`
	DisplayName string    `json:"display_name"`
	Role        string    `json:"role"`
	Locale      string    `json:"locale"`
	Disabled    bool      `json:"disabled"`
	HasPassword bool      `json:"has_password"` // false of who has not used a reset link yet, or signs in at a provider
	CreatedAt   time.Time `json:"created_at"`
}

// NewUser is what it takes to make a [User]. An empty DisplayName means the username, an empty Role user.
type NewUser struct {
	Username    string `json:"username"`
	DisplayName string `json:"display_name,omitempty"`
	Password    string `json:"password"`
	Role        string `json:"role,omitempty"`
}

// UserChange says what to change; what is nil stays.
type UserChange struct {
	Username    *string `json:"username,omitempty"`
	DisplayName *string `json:"display_name,omitempty"`
	Role        *string `json:"role,omitempty"`
	Password    *string `json:"password,omitempty"`
	Disabled    *bool   `json:"disabled,omitempty"`
}

// Users lists everybody. This and the other calls about people and groups need the scope users:write.
func (c *Client) Users(ctx context.Context) ([]User, error) { return list[User](ctx, c, "users") }

// AddUser makes a user.
func (c *Client) AddUser(ctx context.Context, u NewUser) (*User, error) {
	return ask[User](ctx, c, http.MethodPost, u, "users")
}

// ChangeUser changes a user. Disabling one, or giving a new password, ends their sessions.
func (c *Client) ChangeUser(ctx context.Context, username string, change UserChange) (*User, error) {
	return ask[User](ctx, c, http.MethodPatch, change, "users", username)
}

// ResetLink is a link by which a person sets a new password, once. It is for that person alone.
type ResetLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// ResetLink makes a link for a new password. It takes the place of one made before.
func (c *Client) ResetLink(ctx context.Context, username string) (*ResetLink, error) {
	return ask[ResetLink](ctx, c, http.MethodPost, nil, "users", username, "reset-link")
}

// Group is a named set of people.
type Group struct {
	Name        string    `json:"name"`
	DisplayName string    `json:"display_name"`
	Members     []string  `json:"members"`  // usernames
	Disabled    bool      `json:"disabled"` // it takes no new notices
	CreatedAt   time.Time `json:"created_at"`
}

// Groups lists all groups with their members.
func (c *Client) Groups(ctx context.Context) ([]Group, error) { return list[Group](ctx, c, "groups") }

// AddGroup makes an empty group. An empty displayName means the name.
func (c *Client) AddGroup(ctx context.Context, name, displayName string) (*Group, error) {
	in := struct {
		Name        string `json:"name"`
		DisplayName string `json:"display_name,omitempty"`
	}{name, displayName}
	return ask[Group](ctx, c, http.MethodPost, in, "groups")
}

// GroupChange says what to change; what is nil stays.
type GroupChange struct {
	Name        *string `json:"name,omitempty"`
	DisplayName *string `json:"display_name,omitempty"`
	Disabled    *bool   `json:"disabled,omitempty"`
}

// ChangeGroup changes a group. Under another name it is the same one. While it is disabled it takes no new notices.
func (c *Client) ChangeGroup(ctx context.Context, name string, change GroupChange) (*Group, error) {
	return ask[Group](ctx, c, http.MethodPatch, change, "groups", name)
}

// WantedUser says how a person is to be. What is nil stays as it is, or is the default of who is new.
type WantedUser struct {
	DisplayName *string  `json:"display_name,omitempty"`
	Role        *string  `json:"role,omitempty"`
	Disabled    *bool    `json:"disabled,omitempty"`
	Groups      []string `json:"groups,omitempty"` // to be in; others are left as they are
}

// SettledUser is a person who is as wanted, and what it took: added, changed or unchanged.
type SettledUser struct {
	Result  string   `json:"result"`
	Changes []string `json:"changes"`
	User    User     `json:"user"`
}

// SettleUser makes a person as wanted, all of it or nothing. Who is not there is added, without a password. With dryRun it
// only tells what it would do.
func (c *Client) SettleUser(ctx context.Context, username string, want WantedUser, dryRun bool) (*SettledUser, error) {
	path, err := apiPath("users", username)
	if err != nil {
		return nil, err
	}
	if dryRun {
		path += "?dry_run=true"
	}
	var settled SettledUser
	if err := c.call(ctx, http.MethodPut, path, nil, want, &settled); err != nil {
		return nil, err
	}
	return &settled, nil
}

// RemoveUser deletes a person, their inbox and their sessions. What they sent stays with those who have it.
func (c *Client) RemoveUser(ctx context.Context, username string) error {
	return c.change(ctx, http.MethodDelete, "users", username)
}

// RemoveGroup deletes a group, not its members.
func (c *Client) RemoveGroup(ctx context.Context, name string) error {
	return c.change(ctx, http.MethodDelete, "groups", name)
}

// JoinGroup puts people into a group, one after the other. Doing it twice changes nothing.
func (c *Client) JoinGroup(ctx context.Context, group string, usernames ...string) error {
	return c.changeMembers(ctx, http.MethodPut, group, usernames)
}

// LeaveGroup takes people out of a group, one after the other.
func (c *Client) LeaveGroup(ctx context.Context, group string, usernames ...string) error {
	return c.changeMembers(ctx, http.MethodDelete, group, usernames)
}

func (c *Client) changeMembers(ctx context.Context, method, group string, usernames []string) error {
	for _, name := range usernames {
		if err := c.change(ctx, method, "groups", group, "members", name); err != nil {
			return err
		}
	}
	return nil
}
