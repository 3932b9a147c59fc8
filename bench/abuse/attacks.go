package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// assault is one way to attack.
type assault struct {
	name  string
	limit string
	// refusal is what an attacker is told when the limit holds, or, of one that does not listen, what it does.
	refusal string
	// metric and label name the samples that count it.
	metric, label string
	work          func(*attacker, context.Context)
}

// All have a bound on their number or rate: they stand for what one, or a few, other machines send.
const (
	connections  = 4096 + 400 // beyond the limit of an address
	dripping     = 400        // connections that send a byte a second
	requests     = 1000       // a second, of floods of small ones
	largeBodies  = 4          // a second
	signIns      = 200        // a second
	openings     = 100        // a second, of streams
	callers      = 16         // connections of a flood
	signInLine   = 600        // connections that wait for a password: more than the line holds on few cores
	largeNotices = 100        // a second
	batches      = 10         // a second
	batchCallers = 8          // their batches fill more than their half of the line of notices
	deaf         = 8          // streams that read nothing
	deafFor      = 3 * time.Second
	tooLarge     = 17 << 20 // bytes
)

// loginRate is less than the default, so that the limit of an address is met before a minute's passwords are hashed.
const loginRate = "1/m"

// unlimited is what the refusal of an attack is that has none: it is shown, and not judged.
const unlimited = "200"

func assaults() []assault {
	return []assault{
		{"many idle connections", "4,096 of an address", closed, "belfry_connections_refused_total", `reason="address"`, (*attacker).idle},
		{"slow heads", "10 s for a head", closed, "belfry_connections_cut_total", `reason="head_late"`, (*attacker).slowHeads},
		{"huge heads", "32 KiB of head", "431", "belfry_connections_cut_total", `reason="head_too_large"`, (*attacker).hugeHeads},
		{"large bodies, declared", "1 MiB; 16 MiB for a batch", "413", "belfry_http_requests_total", `status="413"`, (*attacker).declaredBodies},
		{"large bodies, in chunks", "1 MiB; 16 MiB for a batch", "413", "belfry_http_requests_total", `status="413"`, (*attacker).chunkedBodies},
		{"slow bodies", "30 s for a request", "400", "belfry_http_bodies_late_total", "", (*attacker).slowBodies},
		{"sign-ins of one address", "20 × `LOGIN_RATE`, here " + loginRate, "429", "belfry_throttled_total", `limit="address"`, (*attacker).signIns},
		{"sign-ins of 250 addresses", "256 wait for each half of the cores", "503", "belfry_throttled_total", `limit="passwords"`, (*attacker).signInsOfMany},
		{"streams of one person", "`STREAMS_PER_USER`", "pause", "belfry_throttled_total", `limit="streams_per_user"`, (*attacker).streams},
		{"a key beyond its limit", "`--rate` of the key", "429", "belfry_throttled_total", `limit="key"`, (*attacker).limitedKey},
		{"requests without a credential", "none; 401", "401", "belfry_http_requests_total", `status="401"`, (*attacker).nobody},
		{"paths that are not there", "none; 404", "404", "belfry_http_requests_total", `status="404"`, (*attacker).nowhere},
		{"batches of a key without a limit", "5,000 of a sender may wait", unlimited, "belfry_http_requests_total", `route="/api/v1/notices/batch",status="200"`, (*attacker).batches},
		{"a reader that reads nothing", "1 MiB may wait for a stream", "unread", "belfry_evictions_total", "", (*attacker).deafReaders},
	}
}

// idle opens connections and says one letter on each.
func (a *attacker) idle(ctx context.Context) {
	a.paced(ctx, 4*requests, callers, connections, func(int) {
		if conn := a.dial(); conn != nil && a.say(conn, "G") {
			a.holding.Go(func() { a.awaitEnd(conn) })
		}
	})
	<-ctx.Done()
}

func (a *attacker) slowHeads(ctx context.Context) {
	a.drip(ctx, "GET / HTTP/1.1\r\nHost: "+a.Address+"\r\nX-Slow: ")
}

func (a *attacker) slowBodies(ctx context.Context) {
	a.drip(ctx, a.head("POST", "/api/v1/notices", a.Key)+"Content-Length: 1000\r\n\r\n")
}

// drip goes on from a beginning a byte a second, on many connections.
func (a *attacker) drip(ctx context.Context, beginning string) {
	for range dripping {
		a.holding.Go(func() {
			for ctx.Err() == nil {
				conn := a.dial()
				if conn == nil || !a.say(conn, beginning) {
					return
				}
				ended := make(chan struct{})
				a.holding.Go(func() {
					defer close(ended)
					a.note(a.answer(conn))
				})
				a.dripOn(ctx, conn, ended)
			}
		})
	}
	<-ctx.Done()
}

func (a *attacker) hugeHeads(ctx context.Context) {
	request := "GET / HTTP/1.1\r\nHost: " + a.Address + "\r\nX-Large: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"
	a.paced(ctx, requests/5, callers, 0, func(int) { a.once(func(conn *peer) { a.say(conn, request) }) })
}

// bodyPath is, in turn, the path for one notice and that for many.
func bodyPath(n int) string { return []string{"/api/v1/notices", "/api/v1/notices/batch"}[n%2] }

func (a *attacker) declaredBodies(ctx context.Context) {
	a.paced(ctx, largeBodies, callers, 0, func(n int) {
		a.once(func(conn *peer) {
			a.say(conn, a.head("POST", bodyPath(n), a.Key)+fmt.Sprintf("Content-Length: %d\r\n\r\n", tooLarge))
			a.pour(conn, strings.Repeat("x", 64<<10))
		})
	})
}

func (a *attacker) chunkedBodies(ctx context.Context) {
	chunk := "10000\r\n" + strings.Repeat("x", 64<<10) + "\r\n"
	a.paced(ctx, largeBodies, callers, 0, func(n int) {
		a.once(func(conn *peer) {
			a.say(conn, a.head("POST", bodyPath(n), a.Key)+"Transfer-Encoding: chunked\r\n\r\n")
			a.pour(conn, chunk)
		})
	})
}

func (a *attacker) signIn(n int) string {
	body := fmt.Sprintf(`{"username":"nobody%d","password":"open sesame, number %d"}`, n, n)
	return a.head("POST", "/api/v1/login", "") + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

func (a *attacker) signIns(ctx context.Context) {
	a.flood(ctx, signIns, callers, func(n int) string { return a.signIn(n) })
}

func (a *attacker) signInsOfMany(ctx context.Context) {
	a.Sources = 250
	a.flood(ctx, signIns, signInLine, func(n int) string { return a.signIn(n) })
}

// streams opens one stream after the other, and keeps those it gets.
func (a *attacker) streams(ctx context.Context) {
	a.paced(ctx, openings, callers, 0, func(int) {
		conn := a.dial()
		if conn == nil || !a.say(conn, a.streamRequest()) {
			return
		}
		a.holding.Go(func() { a.follow(conn) })
	})
	<-ctx.Done()
}

func (a *attacker) publish(path, kind, key, body string) string {
	return a.head("POST", path, key) + fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(body), body)
}

func (a *attacker) limitedKey(ctx context.Context) {
	request := a.publish("/api/v1/notices", "application/json", a.LimitedKey, `{"to":{"users":["`+a.Person+`"]},"title":"again"}`)
	a.flood(ctx, requests, callers, func(int) string { return request })
}

func (a *attacker) nobody(ctx context.Context) {
	request := a.head("GET", "/api/v1/notices", "") + "\r\n"
	a.flood(ctx, requests, callers, func(int) string { return request })
}

func (a *attacker) nowhere(ctx context.Context) {
	a.flood(ctx, requests, callers, func(n int) string { return a.head("GET", fmt.Sprintf("/api/v1/nothing/%d", n), "") + "\r\n" })
}

// batches publishes as many as go into one.
func (a *attacker) batches(ctx context.Context) {
	line := `{"to":{"users":["` + a.Person + `"]},"title":"one of many"}` + "\n"
	request := a.publish("/api/v1/notices/batch", "application/x-ndjson", a.Key, strings.Repeat(line, 1000))
	a.flood(ctx, batches, batchCallers, func(int) string { return request })
}

// deafReaders has streams that do not read what is published to their person.
func (a *attacker) deafReaders(ctx context.Context) {
	for range deaf {
		a.holding.Go(func() {
			for ctx.Err() == nil {
				conn := a.dialSmall()
				if conn == nil || !a.say(conn, a.streamRequest()) {
					return
				}
				a.note("unread")
				select {
				case <-ctx.Done():
				case <-time.After(deafFor):
				}
				a.drop(conn)
			}
		})
	}
	text := strings.Repeat("x", 16<<10-100)
	request := a.publish("/api/v1/notices", "application/json", a.Key, `{"to":{"users":["`+a.Person+`"]},"title":"long","body":"`+text+`","data":{"more":"`+text+`"}}`)
	a.quiet = true
	a.flood(ctx, largeNotices, callers, func(int) string { return request })
}
