package models

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Scope is one thing an API key may do.
type Scope string

// The scopes.
const (
	ScopeNoticesWrite  Scope = "notices:write"
	ScopeTasksWrite    Scope = "tasks:write"
	ScopeSessionsWrite Scope = "sessions:write"
	ScopeUsersWrite    Scope = "users:write"
	ScopeTicketsWrite  Scope = "tickets:write"
)

// Scopes lists every scope there is.
var Scopes = []Scope{ScopeNoticesWrite, ScopeTasksWrite, ScopeSessionsWrite, ScopeUsersWrite, ScopeTicketsWrite}

// Key lets another system call the API. Only its hash is kept.
type Key struct {
	ID        int64 `gorm:"primaryKey"`
	Name      string
	Hash      []byte
	ScopeList string `gorm:"column:scopes"` // separated by single spaces
	CreatedAt Instant
	ExpiresAt *Instant
	RevokedAt *Instant
	// LastUsedAt is up to a minute behind.
	LastUsedAt *Instant
	// DeliverTo is a Target as JSON: for whom notices are that come without recipients. Empty = nobody.
	DeliverTo string
	// RateText is how much it may publish; empty = without limit.
	RateText string `gorm:"column:rate"`
	// Category is that of its notices that name none; empty = none.
	Category string
	// Hook is whose calls are signed for the key, with HookSecret, which is sealed; empty = nobody's.
	Hook       Hook
	HookSecret *string
	// MappingText is a Mapping as JSON; empty = none.
	MappingText string `gorm:"column:mapping"`
}

// Hook is a sender that signs its calls, because it cannot send a key.
type Hook string

// HookGitHub signs as GitHub does, and what speaks like it: Gitea, Forgejo.
const HookGitHub Hook = "github"

// Hooks lists every one there is.
var Hooks = []Hook{HookGitHub}

// Target says for whom a notice is, by name.
type Target struct {
	Users    []string `json:"users,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Everyone bool     `json:"everyone,omitempty"`
}

// Empty reports whether it is nobody.
func (t *Target) Empty() bool { return len(t.Users)+len(t.Groups) == 0 && !t.Everyone }

// Target is for whom the key's notices are when they come without recipients.
func (k *Key) Target() (to Target, err error) {
	if k.DeliverTo != "" {
		err = json.Unmarshal([]byte(k.DeliverTo), &to)
	}
	return to, err
}

// Mapping is how the key's calls are read as notices; nil = not at all.
func (k *Key) Mapping() (*Mapping, error) {
	if k.MappingText == "" {
		return nil, nil //nolint:nilnil // there is none, which is no fault
	}
	var m Mapping
	err := json.Unmarshal([]byte(k.MappingText), &m)
	return &m, err
}

// Rate is how much the key may publish. Without a limit Count is 0.
func (k *Key) Rate() Rate {
	rate, _ := ParseRate(k.RateText) // it was checked when it was stored
	return rate
}

// Rate is how much is let through in a span of time.
type Rate struct {
	Count int
	Per   time.Duration
}

// MaxRateCount bounds the number in a rate.
const MaxRateCount = 1_000_000

// RateRule says how a rate is written.
const RateRule = "NUMBER/s, NUMBER/m or NUMBER/h, as in 60/m; at most 1,000,000."

var spans = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// ParseRate reads a rate as RateRule says. Empty is no limit.
func ParseRate(text string) (Rate, bool) {
	if text == "" {
		return Rate{}, true
	}
	count, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(count, 10, 31)
	rate := Rate{Count: int(n), Per: spans[unit]}
	return rate, err == nil && n >= 1 && n <= MaxRateCount && rate.Per > 0
}

// TableName keeps clear of KEY, a reserved word in SQL.
func (Key) TableName() string { return "api_keys" }

// Scopes splits the stored list.
func (k *Key) Scopes() []Scope {
	fields := strings.Fields(k.ScopeList)
	scopes := make([]Scope, len(fields))
	for i, f := range fields {
		scopes[i] = Scope(f)
	}
	return scopes
}

// Has reports whether the key carries the scope.
func (k *Key) Has(scope Scope) bool { return slices.Contains(k.Scopes(), scope) }
