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
	DisplayName *string `json:"display_name,omitempty"`
	Role        *string `json:"role,omitempty"`
	Password    *string `json:"password,omitempty"`
	Disabled    *bool   `json:"disabled,omitempty"`
}

// Users lists everybody. This and the other calls about people and groups need the scope users:write.
func (c *Client) Users(ctx context.Context) ([]User, error) { return list[User](ctx, c, "users") }

// AddUser makes a user.
func (c *Client) AddUser(ctx context.Context, u NewUser) (*User, error) {
	return create[User](ctx, c, "users", u)
}

// ChangeUser changes a user. Disabling one, or giving a new password, ends their sessions.
func (c *Client) ChangeUser(ctx context.Context, username string, change UserChange) (*User, error) {
	path, err := apiPath("users", username)
	if err != nil {
		return nil, err
	}
	var u User
	if err := c.call(ctx, http.MethodPatch, path, nil, change, &u); err != nil {
		return nil, err
	}
	return &u, nil
}

// Group is a named set of people.
type Group struct {
	Name        string    `json:"name"`
	DisplayName string    `json:"display_name"`
	Members     []string  `json:"members"` // usernames
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
	return create[Group](ctx, c, "groups", in)
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

// create posts a new thing and gives it back as the server has it.
func create[T any](ctx context.Context, c *Client, noun string, in any) (*T, error) {
	path, err := apiPath(noun)
	if err != nil {
		return nil, err
	}
	var out T
	if err := c.call(ctx, http.MethodPost, path, nil, in, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// change makes a call that needs neither a body nor its answer.
func (c *Client) change(ctx context.Context, method string, parts ...string) error {
	path, err := apiPath(parts...)
	if err != nil {
		return err
	}
	return c.call(ctx, method, path, nil, nil, nil)
}
