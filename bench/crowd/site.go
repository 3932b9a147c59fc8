// Package crowd starts a Belfry in which many people have a session each, and says how a generator speaks to it.
package crowd

import (
	"bytes"
	"cmp"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"belfry/bench/generator"
	"belfry/bench/server"
	"belfry/bench/statements"
	"belfry/internal/testpg"
)

const (
	// Group is the group that everybody is in.
	Group = "crowd"
	// NoticeBody is the text of notices, as a build server might send it.
	NoticeBody = "All 812 checks passed in 3 min 12 s. The packages lie where those of the last one lay, and the log is kept for a week. "

	signingKey = "a key for benchmarks alone, no secret"
	sessionMax = 12 * time.Hour
)

// Shape is what is wanted.
type Shape struct {
	SQLite   bool // else PostgreSQL
	People   int
	SignIn   bool                       // they have a password, which is server.Password
	Groups   int                        // that each person is in; 0 = one
	LastSeen func(person int) time.Time // when the person's session was last active; nil = now
	Log      bool                       // there is a log already: so many rows, and the newest
	Rows     int
	Counted  bool   // PostgreSQL counts what it is asked
	Internal bool   // the node has an internal listener
	Scopes   string // of the key; empty = notices:write
	Settings []string
}

// Site is a node that runs on a database of its own. Both keep what they have acknowledged.
type Site struct {
	Node     *server.Node
	Internal string   // the address of its internal listener; empty = none
	Key      string   // of an API key that may write notices
	Cookies  []string // the value of each person's
	Database int      // PostgreSQL's process, or 0
	Counting *sql.DB  // where PostgreSQL counts
}

// Start starts a fresh database and a node on it. It does not log each request.
func Start(t testing.TB, s Shape) *Site {
	t.Helper()
	site := &Site{}
	database := server.SQLite(t)
	if !s.SQLite {
		settings := []string{"max_connections=200"}
		if s.Counted {
			settings = append(settings, statements.Setting)
		}
		cluster := testpg.NewCluster(t, settings...)
		database, site.Database = cluster.DSN(), cluster.PID()
		if s.Counted {
			site.Counting = counting(t, database)
		}
	}
	settings := append([]string{"SECRET=" + signingKey, "SESSION_MAX=" + sessionMax.String(), "SESSION_IDLE=6h",
		"STREAMS_PER_USER=32", "LOG_LEVEL=warn"}, s.Settings...)
	if s.Internal {
		site.Internal = server.FreeAddress(t)
		settings = append(settings, "INTERNAL_LISTEN="+site.Internal)
	}
	site.Node = server.New(t, database, settings...)
	site.Key = site.Node.AddKey("bench", cmp.Or(s.Scopes, "notices:write"))
	site.Cookies = write(t, database, s)
	site.Node.MustStart()
	return site
}

// counting opens a PostgreSQL to be asked what it was asked.
func counting(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	statements.Prepare(t, db)
	return db
}

// Stream appends the request that opens a person's stream, behind an id where there is one.
func (s *Site) Stream(b []byte, person int, lastID []byte) []byte {
	b = fmt.Appendf(b, "GET /sse/stream HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nCookie: belfry=%s\r\n", s.Node.Address(), s.Cookies[person])
	if len(lastID) > 0 {
		b = fmt.Appendf(b, "Last-Event-ID: %s\r\n", lastID)
	}
	return append(b, "\r\n"...)
}

// Call appends a request of a person, with the cookie of their session; -1 = none.
func (s *Site) Call(b []byte, method, path string, person int, body string) []byte {
	b = fmt.Appendf(b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, s.Node.Address())
	if person >= 0 {
		b = fmt.Appendf(b, "Cookie: belfry=%s\r\n", s.Cookies[person])
	}
	if method == "GET" {
		return append(b, "\r\n"...)
	}
	return fmt.Appendf(b, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// Request appends a whole request that publishes messages.
type Request func(b []byte, messages []generator.Message) []byte

// ToPeople addresses an audience to the person of that number.
func ToPeople(b []byte, audience int) []byte {
	return append(append(append(b, `{"users":["`...), Person(audience)...), `"]}`...)
}

// ToGroup addresses every audience to all people.
func ToGroup(b []byte, _ int) []byte { return append(b, `{"groups":["`+Group+`"]}`...) }

// Notices publishes notices of some 200 bytes of text with their marks, one under an idempotency key of its own, or many
// in a batch, each under one. to appends whom an audience stands for.
func (s *Site) Notices(to func(b []byte, audience int) []byte) (one, batch Request) {
	head := func(path, kind string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\n", path, s.Node.Address(), s.Key, kind)
	}
	notice := func(b []byte, m generator.Message) []byte {
		b = append(to(append(b, `"to":`...), m.To), `,"title":"The build is done","body":"`+NoticeBody...)
		return append(m.Mark.Append(b), `"}`...)
	}
	oneHead, batchHead := head("/api/v1/notices", "application/json"), head("/api/v1/notices/batch", "application/x-ndjson")
	var body []byte
	one = func(b []byte, m []generator.Message) []byte {
		body = notice(append(body[:0], '{'), m[0])
		b = append(m[0].Mark.Append(append(append(b, oneHead...), "Idempotency-Key: "...)), fmt.Sprintf("-%d\r\nContent-Length: %d\r\n\r\n", m[0].To, len(body))...)
		return append(b, body...)
	}
	batch = func(b []byte, m []generator.Message) []byte {
		body = body[:0]
		for _, message := range m {
			body = message.Mark.Append(append(body, `{"idempotency_key":"`...))
			body = append(notice(append(body, `",`...), message), '\n')
		}
		b = fmt.Appendf(append(b, batchHead...), "Content-Length: %d\r\n\r\n", len(body))
		return append(b, body...)
	}
	return one, batch
}

// created marks the line of a batch's answer whose notice was taken.
var created = []byte(`"status":201`)

// Taken says so of a line of the answer to a batch.
func Taken(line []byte) bool { return bytes.Contains(line, created) }
