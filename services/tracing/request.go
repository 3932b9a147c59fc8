// Package tracing follows a request from where it comes in to where its notice goes out, on this node and on the others: by an
// id that every line of the log about it has, and by the spans of OpenTelemetry where those are wanted.
package tracing

import (
	"context"
	"math/rand/v2"
	"strconv"
)

// MaxRequestID is the length of a request's id, in bytes.
const MaxRequestID = 64

type requestKey struct{}

// NewRequestID makes an id that no other request has. It need not be hard to guess, and each request waits for it:
// crypto/rand takes eight times as long.
func NewRequestID() string {
	id := strconv.AppendUint(make([]byte, 0, 2*requestIDDigits), rand.Uint64(), 36) //nolint:gosec // see above
	return string(strconv.AppendUint(id, rand.Uint64(), 36))                        //nolint:gosec // see above
}

// requestIDDigits is how many 64 bits take at most, to the base 36.
const requestIDDigits = 13

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
