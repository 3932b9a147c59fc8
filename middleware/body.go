package middleware

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"belfry/models"
)

// MaxBody and MaxBulk bound a request's body, in bytes; MaxBulk is for what takes many things at once.
const (
	MaxBody = 1 << 20
	MaxBulk = 16 << 20
)

// Body reads the whole body of a request, within the bound, and refuses text that cannot come back as it
// went in.
func Body(log *slog.Logger) func(huma.Context, func(huma.Context)) {
	return body(log, MaxBody, CheckText)
}

// Bulk is Body for what takes many things at once; each is looked at by itself.
func Bulk(log *slog.Logger) func(huma.Context, func(huma.Context)) {
	return body(log, MaxBulk, func([]byte) error { return nil })
}

func body(log *slog.Logger, limit int64, check func([]byte) error) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(ctx)
		if coding := c.GetHeader("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") && ctx.Operation().RequestBody != nil {
			Refuse(c, log, errCoded) // taken as it is, it would be called broken text, or lie in a task's log
			return
		}
		if c.Request.ContentLength > limit { // nobody has to send it first, nor we to keep it
			refuseLarge(c, log, limit)
			return
		}
		raw, err := readAll(http.MaxBytesReader(c.Writer, c.Request.Body, limit), min(c.Request.ContentLength, MaxBody))
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			refuseLarge(c, log, limit)
			return
		}
		if err == nil {
			err = check(raw)
		} else {
			_ = c.Error(err) // Requests counts those that were not there in time
			err = &models.Error{Code: models.CodeUnreadable, Detail: "The body cannot be read.", Err: err}
		}
		if err != nil {
			Refuse(c, log, err)
			return
		}
		c.Request.Body = io.NopCloser(bytes.NewReader(raw))
		if media := c.GetHeader("Content-Type"); media != "" {
			c.Request.Header.Set("Content-Type", strings.ToLower(media)) // it has no case (RFC 9110 §8.3.1), but huma looks it up as it is
		}
		next(huma.WithValue(ctx, rawBodyKey{}, raw))
	}
}

// What is taken of a body that is too large, in bytes, and for how long: of whom Belfry let in, but for the few routes that need
// no credential. It is dropped as it comes, so it costs a connection and no memory.
const (
	mostDropped = 4 * MaxBulk
	dropFor     = 5 * time.Second
)

// refuseLarge answers at once, for some wait with the body until they are told, and then takes what is sent all the same: many
// a client reads nothing before it has sent everything, and where the connection is closed meanwhile it finds that broken, and
// no answer (RFC 9112 §9.6).
func refuseLarge(c *gin.Context, log *slog.Logger, limit int64) {
	control := http.NewResponseController(c.Writer)
	ended := c.Request.ProtoMajor != 1 || control.EnableFullDuplex() != nil // HTTP/2 tells a sender to stop
	Refuse(c, log, models.Errorf(models.CodeTooLarge, "The body is larger than %d KiB.", limit>>10))
	if ended || c.GetHeader("Expect") != "" || control.Flush() != nil {
		return
	}
	if control.SetReadDeadline(time.Now().Add(dropFor)) == nil {
		_, _ = io.CopyN(io.Discard, c.Request.Body, mostDropped)
	}
}

// readAll is io.ReadAll into room for what is announced, in bytes (-1 = nothing is): a batch would else be copied a dozen
// times. The caller bounds it, for who announces much need not send it.
func readAll(body io.Reader, announced int64) ([]byte, error) {
	var raw bytes.Buffer
	raw.Grow(int(max(announced, 0)) + bytes.MinRead) // or the end would ask for more room
	_, err := raw.ReadFrom(body)
	return raw.Bytes(), err
}

type rawBodyKey struct{}

// RawBody is the body as it came, behind Body.
func RawBody(ctx context.Context) []byte {
	raw, _ := ctx.Value(rawBodyKey{}).([]byte)
	return raw
}

var errCoded = models.Errorf(models.CodeUnsupportedMedia, "Send the body as it is, without a Content-Encoding.")

var errText = models.InvalidField("body", "UTF-8 text without NUL and without half a surrogate pair.")

// CheckText finds in raw JSON what no string may hold: bytes that are not UTF-8, NUL, and a surrogate
// escape without its other half (RFC 8259 §8.2). It looks at the raw bytes, for decoders replace what they cannot
// read without a word.
func CheckText(raw []byte) error {
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return errText
	}
	for rest := raw; ; {
		at := bytes.IndexByte(rest, '\\')
		if at < 0 {
			return nil
		}
		rest = rest[at:]
		unit, ok := escapedUnit(rest)
		if !ok {
			rest = rest[min(2, len(rest)):] // past the escape, whatever it is
			continue
		}
		rest = rest[unitLength:]
		switch {
		case unit == 0:
			return errText
		case utf16.IsSurrogate(rune(unit)):
			low, ok := escapedUnit(rest)
			if !ok || utf16.DecodeRune(rune(unit), rune(low)) == utf8.RuneError {
				return errText
			}
			rest = rest[unitLength:]
		}
	}
}

const unitLength = len(`\uXXXX`)

// escapedUnit reads \uXXXX at the beginning of text.
func escapedUnit(text []byte) (uint16, bool) {
	if len(text) < unitLength || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:unitLength]), 16, 16)
	return uint16(unit), err == nil
}

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// CleanAddress refuses paths and queries that are not text: no name of ours can be one, and databases
// answer them with a fault.
func CleanAddress(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		path, query := c.Request.URL.Path, c.Request.URL.RawQuery
		if !isText(path) {
			Refuse(c, log, models.ErrNotFound)
			return
		}
		if query == "" {
			return
		}
		for name, values := range c.Request.URL.Query() {
			if name == "last_event_id" {
				continue // a stream answers a position that is none with reset, as it does the header
			}
			for _, v := range append(values, name) {
				if !isText(v) {
					Refuse(c, log, models.InvalidField("query", "UTF-8 text without NUL."))
					return
				}
			}
		}
	}
}

var errNoTicket = models.Errorf(models.CodeUnauthenticated, "The ticket is not valid.")

// WholeQuery refuses what net/url would pass over in silence, on routes that look at their query: a request would else be
// answered as if half of it had not been said. A position that is none is for the stream to answer.
func WholeQuery(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		path := c.Request.URL.Path
		stream := strings.HasPrefix(path, "/sse/")
		if c.Request.URL.RawQuery == "" || !stream && !strings.HasPrefix(path, "/api/") {
			return
		}
		broken := slices.DeleteFunc(brokenPairs(c.Request.URL.RawQuery), func(name string) bool { return name == "last_event_id" })
		switch {
		case stream && slices.Contains(broken, "token"):
			Refuse(c, log, errNoTicket)
		case len(broken) > 0:
			Refuse(c, log, models.InvalidField("query", "Names and values, percent-encoded, with & between them."))
		}
	}
}

// brokenPairs names the parts of a query that net/url leaves out: those with a semicolon or an escape that is none.
func brokenPairs(query string) (names []string) {
	if !strings.ContainsAny(query, ";%") {
		return nil
	}
	for pair := range strings.SplitSeq(query, "&") {
		if _, err := url.ParseQuery(pair); err == nil {
			continue
		}
		for part := range strings.SplitSeq(pair, ";") {
			name, _, _ := strings.Cut(part, "=")
			if plain, err := url.QueryUnescape(name); err == nil {
				name = plain
			}
			names = append(names, name)
		}
	}
	return names
}
