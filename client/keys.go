package client

import (
	"context"
	"encoding/json"
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
	LastUsed  *time.Time `json:"last_used_at"` // up to a minute behind; nil = never
	To        To         `json:"to"`           // for whom its notices are that come without recipients
	Rate      string     `json:"rate"`         // how much it may publish; empty = no limit
	Category  string     `json:"category"`     // that of its notices that name none; empty = none
	Secret    string     `json:"key,omitempty"`

	Hook       string          `json:"hook"`                  // whose calls are signed for it, as github; empty = nobody's
	HookSecret string          `json:"hook_secret,omitempty"` // what they are signed with; only in the answer that made the key
	Mapping    json.RawMessage `json:"mapping"`               // how its calls are read as notices; null = not at all
}

// NewKey is what it takes to make a [Key].
type NewKey struct {
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"` // nil = never
	To        To         `json:"to,omitzero"`          // for whom its notices are that come without recipients; at most 10 names
	Rate      string     `json:"rate,omitempty"`       // how much it may publish, as in 60/m; s, m or h; empty = no limit
	Category  string     `json:"category,omitempty"`   // that of its notices that name none: what people can mute them by

	Hook    string          `json:"hook,omitempty"`    // github, for calls that GitHub signs
	Mapping json.RawMessage `json:"mapping,omitempty"` // how calls of other systems are read as notices; see docs/senders.md
}

// Keys lists the API keys that were not revoked. The calls about keys need the scope users:write.
func (c *Client) Keys(ctx context.Context) ([]Key, error) { return list[Key](ctx, c, "keys") }

// CreateKey makes an API key; a key can only give scopes that it has itself.
func (c *Client) CreateKey(ctx context.Context, k NewKey) (*Key, error) {
	return ask[Key](ctx, c, http.MethodPost, k, "keys")
}

// RevokeKey makes a key worthless at once.
func (c *Client) RevokeKey(ctx context.Context, id int64) error {
	return c.change(ctx, http.MethodDelete, "keys", strconv.FormatInt(id, 10))
}
