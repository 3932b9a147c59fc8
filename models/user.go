package models

import (
	"regexp"
	"unicode/utf8"
)

// Role decides what a person may do beyond their own data.
type Role string

// The roles.
const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// Limits of a person's fields, in characters unless said otherwise.
const (
	MaxDisplayName = 100
	MinPassword    = 8
	MaxPassword    = 1024 // a hard cap, so that hashing a huge one cannot be used to tire the server
)

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`)

// NameRule is the rule for the names of people, groups and keys, in words.
const NameRule = "1 to 64 characters: letters, digits and . _ @ + -, beginning with a letter or digit"

// ValidName reports whether a name keeps NameRule. Names are compared without regard to case.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// ValidPassword reports whether a new password has an acceptable length.
func ValidPassword(password string) bool {
	n := utf8.RuneCountInString(password)
	return n >= MinPassword && n <= MaxPassword
}

// User is a person who can sign in.
type User struct {
	ID           int64 `gorm:"primaryKey"`
	Username     string
	DisplayName  string
	Role         Role
	Locale       string // a BCP 47 tag; empty until the person has chosen one
	PasswordHash string
	CreatedAt    Instant
	JoinedOffset int64 // of what is for everyone, only what is newer than this is theirs
	DisabledAt   *Instant
}

// Group is a named set of people to whom a notice can be addressed.
type Group struct {
	ID          int64 `gorm:"primaryKey"`
	Name        string
	DisplayName string
	CreatedAt   Instant
	DisabledAt  *Instant // since then it takes no new notices
}

// Membership puts a person into a group from a point of the log on.
type Membership struct {
	GroupID      int64 `gorm:"primaryKey"`
	UserID       int64 `gorm:"primaryKey"`
	JoinedOffset int64
}
