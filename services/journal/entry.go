// Package journal is the log: one commit-ordered line of entries that everything a browser must
// learn goes through. Offsets are contiguous, given in commit order and never used again within an
// epoch, so "what did I miss" is one range read.
//
// The package knows neither notices nor sessions: an entry is a kind, audiences and a payload.
package journal

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"belfry/services/tracing"
)

// Draft is what a caller wants appended.
type Draft struct {
	Kind        string
	Subject     int64  // what the entry is about; 0 = itself
	Actor       string // who caused it, such as "user:7"
	Topic       string
	CollapseKey string
	Audiences   []string // such as "user:7", "everyone"; no spaces
	Payload     json.RawMessage
	ExpiresAt   int64 // ms since 1970 UTC; 0 = never

	// Once makes the append repeatable: a second one of the same principal and key within
	// OnceWindow appends nothing and is told where the first one went.
	Once *Once

	cause *tracing.Cause // nil = nobody wants to know
}

// Once names a request that may come twice.
type Once struct {
	Principal string
	Key       string
	Digest    string // of the request's content
}

// Entry is what lies in the log.
type Entry struct {
	Offset      int64
	Kind        string
	Subject     int64
	Actor       string
	Topic       string
	CollapseKey string
	Audiences   []string
	Payload     json.RawMessage
	CreatedAt   int64
	ExpiresAt   int64
	WithdrawnAt int64

	Cause *tracing.Cause `json:",omitempty"` // not kept: nil where nobody wants to know, or it was lost on the way
}

// Receipt says where a draft went.
type Receipt struct {
	Offset    int64
	CreatedAt int64 // ms since 1970 UTC, on the database's clock
	Replayed  bool  // the entry had been there already, under the same key
}

// Reused reports whether the key had been used for another request; nothing was appended.
func (r Receipt) Reused() bool { return r.Replayed && r.Offset == 0 }

// Head is the end of the log. An offset means something only together with its epoch.
type Head struct {
	Epoch   string
	Offset  int64 // the last one given
	Trimmed int64 // the last one deleted
	Now     int64 // ms since 1970 UTC, on the database's clock
}

// Grant lets a reader see what is for one audience and newer than After.
type Grant struct {
	Audience string
	After    int64
}

// The ways in which an append fails on purpose.
var (
	ErrFull   = errors.New("journal: the queue is full")
	ErrClosed = errors.New("journal: closed")
)

// Position is a place in the log as clients see it, "EPOCH-OFFSET".
type Position struct {
	Epoch  string
	Offset int64
}

func (p Position) String() string { return p.Epoch + "-" + strconv.FormatInt(p.Offset, 10) }

// MaxPosition is the longest text that is looked at as a position. Browsers ask for permission first
// (a CORS preflight) when Last-Event-ID is longer than 128 bytes, so ours stay well below.
const MaxPosition = 64

// ParsePosition reads "EPOCH-OFFSET": an epoch of [0-9a-z], a decimal offset without leading zeros.
// Anything else is no position.
func ParsePosition(text string) (Position, bool) {
	if len(text) > MaxPosition {
		return Position{}, false
	}
	epoch, digits, found := strings.Cut(text, "-")
	if !found || epoch == "" || digits == "" || (digits[0] == '0' && len(digits) > 1) {
		return Position{}, false
	}
	for _, c := range epoch {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return Position{}, false
		}
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return Position{}, false
		}
	}
	offset, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return Position{}, false
	}
	return Position{Epoch: epoch, Offset: offset}, true
}
