// Package tracing follows a request from where it comes in to where its notice goes out, on this node and on the others: by an
// id that every line of the log about it has, and by the spans of OpenTelemetry where those are wanted.
package tracing

import (
	"context"
	"crypto/rand"
)

// MaxRequestID is the length of a request's id, in bytes.
const MaxRequestID = 64

type requestKey struct{}

// NewRequestID makes an id that no other request has.
func NewRequestID() string { return rand.Text() }

// ValidRequestID reports whether an id that came from outside may stand in the log: letters, digits and . _ ~ -, which
// nothing that reads a log takes for anything else.
func ValidRequestID(id string) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '.' && c != '_' && c != '~' && c != '-' {
			return false
		}
	}
	return id != "" && len(id) <= MaxRequestID
}

// WithRequest says which request it is that something is done for.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestOf tells for which request something is done; empty where it is for none.
func RequestOf(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}
