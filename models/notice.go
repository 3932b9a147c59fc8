package models

import (
	"encoding/json"
	"time"
)

// Limits of a notice: characters for the title, bytes for the rest.
const (
	MaxTitle       = 200
	MaxBody        = 16 << 10
	MaxData        = 16 << 10
	MaxURL         = 2048
	MaxActions     = 4
	MaxActionLabel = 40
	MaxCategory    = 64
	MaxCollapseKey = 128
	MaxRecipients  = 1000 // names in one call; a group counts as one
	MaxUserTargets = 10   // for a plain user
)

// Sender says who published a notice.
type Sender struct {
	Type string `json:"type" enum:"user,key,system"`
	Name string `json:"name"`
}

// Action is a button of a notice that leads somewhere.
type Action struct {
	Label string `json:"label" minLength:"1" maxLength:"40"`
	URL   string `json:"url" minLength:"1" maxLength:"2048"`
}

// NoticeContent is what was published: the part of a notice that is the same for all who get it. It is
// the payload of the log entry, so its JSON form is also what lies in the database.
type NoticeContent struct {
	Title       string          `json:"title"`
	Body        string          `json:"body"`
	Format      string          `json:"format" enum:"text,markdown"`
	URL         *string         `json:"url"`
	Actions     []Action        `json:"actions" nullable:"true"`
	Severity    string          `json:"severity" enum:"info,success,warning,critical"`
	Category    *string         `json:"category"`
	Sender      Sender          `json:"sender"`
	Data        json.RawMessage `json:"data"`
	CollapseKey *string         `json:"collapse_key"`
	ExpiresAt   *Instant        `json:"expires_at" format:"date-time"`
}

// NoticeState is what one person did with one notice; no row means untouched.
type NoticeState struct {
	UserID     int64 `gorm:"primaryKey"`
	NoticeID   int64 `gorm:"primaryKey"`
	ReadAt     *Instant
	ArchivedAt *Instant

	// SnoozedUntil hides it until then. It may have passed: that it is back is told, and this cleared, a little later.
	SnoozedUntil *Instant
}

// MaxSnooze is how long a notice may be put off.
const MaxSnooze = 366 * 24 * time.Hour
