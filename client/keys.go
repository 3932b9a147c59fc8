package client

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Key is an API key as the server lists it. Secret is there only in the answer that made the key.
type Key struct {
	ID        int64      `json:"id"`
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	Secret    string     `json:"key"`
}

// NewKey is what it takes to make a [Key].
type NewKey struct {
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"` // nil = never
}

// Keys lists the API keys that were not revoked. The calls about keys need the scope users:write.
func (c *Client) Keys(ctx context.Context) ([]Key, error) { return list[Key](ctx, c, "keys") }

// CreateKey makes an API key; a key can only give scopes that it has itself.
func (c *Client) CreateKey(ctx context.Context, k NewKey) (*Key, error) {
	return create[Key](ctx, c, "keys", k)
}

// RevokeKey makes a key worthless at once.
func (c *Client) RevokeKey(ctx context.Context, id int64) error {
	return c.change(ctx, http.MethodDelete, "keys", strconv.FormatInt(id, 10))
}
