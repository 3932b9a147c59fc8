package models

import "strings"

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
func (k *Key) Has(scope Scope) bool {
	for _, s := range k.Scopes() {
		if s == scope {
			return true
		}
	}
	return false
}
