package main

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"belfry/bench/generator"
	"belfry/bench/server"
	"belfry/bench/statements"
	"belfry/internal/testpg"
)

// belfry is Belfry on one of its databases, each of which keeps what it has acknowledged.
type belfry struct{ sqlite bool }

const (
	signingKey = "a key for benchmarks alone, no secret"
	crowdName  = "crowd"
	noticeBody = "All 812 checks passed in 3 min 12 s. The packages lie where those of the last one lay, and the log is kept for a week. "
	sessionMax = 12 * time.Hour
)

// start starts a fresh database and a node on it, with a user and a session for each stream. Like the others, it does
// not log each request.
func (b *belfry) start(r *run1, s shape) *site {
	t := r.t
	t.Helper()
	result := &site{begins: "lock"}
	database := server.SQLite(t)
	if !b.sqlite {
		settings := []string{"max_connections=200"}
		if s.counted {
			settings = append(settings, statements.Setting)
		}
		cluster := testpg.NewCluster(t, settings...)
		database, result.database = cluster.DSN(), cluster.PID()
	}
	if s.counted && !b.sqlite {
		result.db = counting(t, database)
	}
	if r.options.profiles != "" {
		result.internal = server.FreeAddress(t)
		s.settings = append(s.settings, "INTERNAL_LISTEN="+result.internal)
	}
	node := server.New(t, database, append([]string{"SECRET=" + signingKey, "SESSION_MAX=" + sessionMax.String(), "SESSION_IDLE=6h",
		"STREAMS_PER_USER=32", "LOG_LEVEL=warn"}, s.settings...)...)
	key := node.AddKey("bench", "notices:write")
	cookies := writeCrowd(t, database, s)
	node.MustStart()
	result.cookies = cookies
	result.node, result.address, result.pid = node, node.Address(), node.PID()
	result.head = func(b []byte, stream int, lastID []byte) []byte {
		b = fmt.Appendf(b, "GET /sse/stream HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nCookie: belfry=%s\r\n", result.address, cookies[stream])
		if len(lastID) > 0 {
			b = fmt.Appendf(b, "Last-Event-ID: %s\r\n", lastID)
		}
		return append(b, "\r\n"...)
	}
	result.request, result.batch = requests(result.address, key, s)
	return result
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

// notice is one of some 200 bytes of text, as a build server might send it, with its mark.
func notice(b []byte, s shape, m generator.Message) []byte {
	switch {
	case s.everyone:
		b = append(b, `"to":{"everyone":true}`...)
	case s.together, s.mixed && m.To == 0:
		b = append(b, `"to":{"groups":["`+crowdName+`"]}`...)
	case s.mixed:
		b = append(append(append(b, `"to":{"users":["`...), person(m.To-1)...), `"]}`...)
	default:
		b = append(append(append(b, `"to":{"users":["`...), person(m.To)...), `"]}`...)
	}
	b = append(b, `,"title":"The build is done","body":"`+noticeBody...)
	return append(m.Mark.Append(b), `"}`...)
}

// requests publishes one notice under an idempotency key of its own, or many in a batch, each under one.
func requests(address, key string, s shape) (one, batch func(b []byte, m []generator.Message) []byte) {
	head := func(path, kind string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\n", path, address, key, kind)
	}
	oneHead, batchHead := head("/api/v1/notices", "application/json"), head("/api/v1/notices/batch", "application/x-ndjson")
	var body []byte
	one = func(b []byte, m []generator.Message) []byte {
		body = notice(append(body[:0], '{'), s, m[0])
		b = append(m[0].Mark.Append(append(append(b, oneHead...), "Idempotency-Key: "...)), fmt.Sprintf("-%d\r\nContent-Length: %d\r\n\r\n", m[0].To, len(body))...)
		return append(b, body...)
	}
	batch = func(b []byte, m []generator.Message) []byte {
		body = body[:0]
		for _, message := range m {
			body = message.Mark.Append(append(body, `{"idempotency_key":"`...))
			body = append(notice(append(body, `",`...), s, message), '\n')
		}
		b = fmt.Appendf(append(b, batchHead...), "Content-Length: %d\r\n\r\n", len(body))
		return append(b, body...)
	}
	return one, batch
}
