package handlers_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/models"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// TestStreamHead looks at the first bytes of a stream and at its headers.
func TestStreamHead(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.notify("anna")
		c := s.login("anna")
		st := c.with("Accept", "application/json").stream("/sse/stream")
		for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Origin"} {
			if got := st.header.Values(name); len(got) != 1 || got[0] != want {
				s.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if got := st.header.Get("Content-Encoding") + st.header.Get("Content-Length"); got != "" {
			s.Errorf("a stream with a length or an encoding: %q", got)
		}
		e := st.want("hello")
		o := e.object(s)
		if got := names(o); !slices.Equal(got, []string{"head", "heartbeat_ms", "now", "resumed", "session", "unread"}) {
			s.Errorf("hello has %q", got)
		}
		if retry, err := strconv.Atoi(e.retry); err != nil || retry < 1000 || retry > 30_000 {
			s.Errorf("retry: %q", e.retry)
		}
		if o["unread"] != float64(1) || o["resumed"] != false || o["head"] != e.id || o["heartbeat_ms"] != float64(15_000) {
			s.Errorf("hello %s with id %s", e.data, e.id)
		}
		offset(s, e.id)
		instant(s.TB, o["now"].(string))
		if session := o["session"].(map[string]any); session["id"] != c.id || session["current"] != true {
			s.Errorf("session %v", session)
		}
		if lock := st.lock("active", ""); lock.hasID || lock.retry != "" {
			s.Errorf("lock %+v", lock)
		}
	})
}

// TestStreamEvents follows one notice from its publishing to its reading.
func TestStreamEvents(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		anna, bob := s.login("anna"), s.login("bob")
		st, others := anna.stream("/sse/stream"), bob.stream("/sse/stream")
		_, at := offset(s, st.hello("active", "").id)
		others.hello("active", "")
		sent := bob.post("/api/v1/notices", map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "One\nid: 7\r\ndata: x",
			"body": "a\r\n\n\u2028b", "data": map[string]any{"n": 1}}).want(201)
		e := st.want("notice")
		o := e.object(s)
		if e.id != sent.text("cursor") || o["cursor"] != e.id || o["id"] != float64(sent.int("id")) || e.retry != "" {
			s.Errorf("notice %+v of %s", e, sent.body)
		}
		if _, got := offset(s, e.id); got <= at {
			s.Errorf("id %s after offset %d", e.id, at)
		}
		shown := anna.get("/api/v1/notices/" + itoa(sent.int("id"))).want(200)
		if got, want := names(o), names(shown.object()); !slices.Equal(got, want) {
			s.Errorf("a notice event has %q, a notice %q", got, want)
		}
		if o["title"] != "One\nid: 7\r\ndata: x" || o["body"] != "a\r\n\n\u2028b" || strings.ContainsAny(e.data, "\r\n") {
			s.Errorf("notice %q", e.data)
		}
		anna.do("PATCH", "/api/v1/notices/"+itoa(sent.int("id")), map[string]any{"read": true, "archived": true}).want(200)
		for _, want := range []string{"read", "archived"} {
			state := st.want("notice_state")
			v := state.object(s)
			ids, _ := v["ids"].([]any)
			if v["state"] != want || v["unread"] != float64(0) || len(ids) != 1 || ids[0] != o["id"] || v["up_to"] != nil || !state.hasID {
				s.Errorf("notice_state %+v, want %s", state, want)
			}
		}
		last := s.notify("anna")
		if got := st.want("notice").object(s)["id"]; got != float64(last) {
			s.Errorf("notice %v, want %d", got, last)
		}
		anna.post("/api/v1/notices/state", map[string]any{"up_to": sent.text("cursor"), "read": true}).want(200)
		upTo := anna.get("/api/v1/notices").want(200).text("cursor")
		anna.post("/api/v1/notices/state", map[string]any{"up_to": upTo, "read": true}).want(200)
		if v := st.want("notice_state").object(s); v["up_to"] != upTo || v["state"] != "read" || v["unread"] != float64(0) || v["ids"] != nil {
			s.Errorf("notice_state %v", v)
		}
		// Nothing of all this was for the sender.
		mine := s.notify("bob")
		if got := others.want("notice").object(s)["id"]; got != float64(mine) {
			s.Errorf("the sender's stream: notice %v, want %d", got, mine)
		}
	})
}

// TestNarrowing: paths and ?event= leave out what was not asked for, and nothing of what always comes.
func TestNarrowing(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		for path, want := range map[string]string{
			"/sse/stream": "notice notice_state lock", "/sse/notice": "notice notice_state lock", "/sse/lock": "lock",
			"/sse/stream?event=notice": "notice lock", "/sse/stream?event=notice_state": "notice_state lock",
			"/sse/stream?event=notice&event=notice_state": "notice notice_state lock", "/sse/stream?event=lock": "lock",
			"/sse/stream?event=ping&event=hello&event=pause&event=reset&event=task": "lock", "/sse/notice?event=lock": "lock",
			"/sse/lock?event=notice&event=notice_state": "lock", // which narrows further, and never widens
		} {
			st := c.stream(path)
			st.hello("active", "")
			c.do("PATCH", "/api/v1/notices/"+itoa(s.notify("anna")), map[string]any{"read": true}).want(200)
			// A lock takes back what was not sent yet, so it comes only after the rest was read.
			var got []string
			for _, name := range strings.Fields(want) {
				if name == "lock" {
					c.post("/api/v1/session/lock", nil).want(200)
				}
				got = append(got, st.next().name)
			}
			if strings.Join(got, " ") != want {
				s.Errorf("%s: %q, want %q", path, got, want)
			}
			c.take(c.post("/api/v1/session/unlock", secret(password)).want(200))
			st.close()
		}
		for _, query := range []string{"event=", "event=notices", "event=notice&event=x", "event=notice,lock", "unnamed=", "unnamed=maybe"} {
			c.get("/sse/stream?"+query).refused(422, "invalid")
		}
	})
}

// TestUnnamed: notices come without a name, all else as ever.
func TestUnnamed(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		st := c.stream("/sse/notice?unnamed=1")
		id := st.hello("active", "").id
		notice := s.notify("anna")
		for _, st := range []*stream{st, c.stream("/sse/notice?unnamed=1&last_event_id=" + id)} {
			for {
				e := st.next()
				if e.name != "" {
					continue
				}
				if got := e.object(s)["id"]; got != float64(notice) || !e.hasID {
					s.Errorf("notice %v, want %d", got, notice)
				}
				break
			}
		}
		c.do("PATCH", "/api/v1/notices/"+itoa(notice), map[string]any{"read": true}).want(200)
		st.want("notice_state")
	})
}

// TestPing comes after the heartbeat's time of silence.
func TestPing(t *testing.T) {
	onEachWay(t, func(set *settings) { set.streams.Heartbeat = 100 * time.Millisecond }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		st := c.stream("/sse/stream")
		e := st.hello("active", "")
		if got := e.object(s)["heartbeat_ms"]; got != float64(100) {
			s.Errorf("heartbeat_ms %v", got)
		}
		for range 2 {
			ping := st.want("ping")
			if ping.hasID || ping.retry != "" || len(ping.object(s)) != 1 {
				s.Errorf("ping %+v", ping)
			}
			instant(s.TB, ping.object(s)["now"].(string))
		}
	})
}

// pause wants a stream's last event, and checks what it says.
func (st *stream) pause() {
	st.Helper()
	e := st.want("pause")
	at, err := strconv.ParseInt(e.data, 10, 64)
	retry, err2 := strconv.ParseInt(e.retry, 10, 64)
	wait := time.Until(time.UnixMilli(at))
	if err != nil || err2 != nil || e.hasID || retry < 1000 || retry > 30_000 || wait > time.Duration(retry)*time.Millisecond+time.Second || wait < time.Duration(retry)*time.Millisecond-10*time.Second {
		st.Fatalf("pause %+v, in %v", e, wait)
	}
	st.end()
}

// TestPerUser: over the limit a stream is answered with 200 and a pause, and nothing else.
func TestPerUser(t *testing.T) {
	onEachWay(t, func(set *settings) { set.streams.PerUser = 2 }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		c := s.login("anna")
		first := c.stream("/sse/stream")
		first.hello("active", "")
		s.login("anna").stream("/sse/lock").hello("active", "")
		c.stream("/sse/notice").pause()
		s.login("bob").stream("/sse/stream").hello("active", "")
		first.close()
		for { // the place is free when the server has seen that the client is gone
			st := c.stream("/sse/stream")
			e := st.next()
			if e.name == "hello" {
				break
			}
			if e.name != "pause" {
				s.Fatalf("%+v", e)
			}
			st.close()
		}
	})
}

// TestRotation sends a stream away when it is old, and drain sends all away. Only a balancer is told by a refusal,
// and only then.
//
// Security: S13
func TestRotation(t *testing.T) {
	onEachWay(t, func(set *settings) {
		set.streams.MaxAge = 200 * time.Millisecond
		set.streams.Heartbeat = 100 * time.Millisecond
	}, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		st := c.stream("/sse/stream")
		st.hello("active", "")
		st.pause()
		balancer := c.with("X-Belfry-Balancer", "1")
		st = balancer.stream("/sse/stream")
		st.hello("active", "")
		s.server.Streams.Drain(s.Context())
		st.pause()
		c.stream("/sse/stream").pause()
		c.with("X-Belfry-Balancer", "0").stream("/sse/stream").pause()
		for _, path := range []string{"/sse/stream", "/sse/notice", "/sse/lock", "/sse/clock", "/sse/stream?token=x"} {
			if r := balancer.get(path).refused(503, "unavailable"); r.header.Get("Retry-After") != "2" {
				s.Errorf("%s: %v", path, r.header)
			}
		}
		c.post("/api/v1/session/activity", nil).want(200)
	})
}

// TestWhoHasAConnectionOfItsOwn: plain HTTP/1.1 without a body, and nobody else. A balancer is told by the header that it ends.
func TestWhoHasAConnectionOfItsOwn(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("ann", models.RoleUser)
		c := s.login("ann").with("X-Belfry-Balancer", "1")
		for body, own := range map[string]bool{"": !s.settings.http2, "{}": false} {
			req := c.request(http.MethodGet, "/sse/stream", nil)
			if body != "" {
				req = c.request(http.MethodGet, "/sse/stream", body)
			}
			resp, err := c.streams.Do(req)
			if err != nil {
				s.Fatal(err)
			}
			if first, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || first != "event: hello\n" || resp.Close != own {
				s.Errorf("body %q: the connection is the stream's own %v, want %v; begins with %q: %v", body, resp.Close, own, first, err)
			}
			_ = resp.Body.Close()
		}
	})
}

// TestLateBodyDoesNotCut a stream that was asked for with one.
func TestLateBodyDoesNotCut(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("ann", models.RoleUser)
		c := s.login("ann")
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			s.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /sse/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nCookie: %s=%s\r\n\r\n", c.cookieName(), c.cookie)
		time.Sleep(50 * time.Millisecond) // the request is there, and nothing tells that it is: the answer waits for the body
		if _, err := io.WriteString(conn, "{}"); err != nil {
			s.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			s.Fatal(err)
		}
		events := make(chan event, 16)
		go func() {
			defer close(events)
			read(bufio.NewReader(resp.Body), events)
		}()
		if first := <-events; first.name != "hello" {
			s.Fatalf("%+v", first)
		}
		s.bearer(s.addKey(models.ScopeNoticesWrite)).post("/api/v1/notices", map[string]any{"to": map[string]any{"users": []string{"ann"}}, "title": "here"}).want(http.StatusCreated)
		for e := range events {
			if e.name == "notice" {
				return
			}
		}
		s.Error("the stream was cut")
	})
}
