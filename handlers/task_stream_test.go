package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"belfry/models"
)

// line wants the next lines of a log, with the place behind them.
func (st *stream) line(data string, id int) {
	st.Helper()
	if e := st.want(""); e.data != data || e.id != fmt.Sprint(id) {
		st.Fatalf("%q with id %s, want %q with id %d", e.data, e.id, data, id)
	}
}

// done wants the end of a finished log.
func (st *stream) done(state string, bytes int) {
	st.Helper()
	e := st.want("done")
	if o := e.object(st); o["state"] != state || o["bytes"] != float64(bytes) || len(o) != 3 || e.id != fmt.Sprint(bytes) {
		st.Fatalf("done %+v, want %s at %d", e, state, bytes)
	}
	st.line("[DONE]", bytes)
	st.end()
}

// following gives the address of a task's stream.
func following(task string) string { return "/sse/tasks/" + strings.TrimPrefix(task, "/api/v1/tasks/") }

func TestTaskStream(t *testing.T) {
	onEachWay(t, func(set *settings) { set.streams.Heartbeat = 200 * time.Millisecond }, func(s *site) {
		system, anna := s.taskCast()
		task := system.newTask("anna")
		path := following(task)
		st := anna.stream(path)
		raw := anna.stream(path + "?format=json")
		if got := st.header.Get("Cache-Control") + " " + st.header.Get("X-Accel-Buffering"); got != "no-store no" {
			s.Errorf("header %q", got)
		}
		if e := st.want("ping"); e.hasID {
			s.Errorf("ping %+v", e)
		}
		system.add(task, 0, "a\r").want(200) // half of a line end, perhaps
		if e := raw.want(""); e.data != `{"offset":0,"text":"a\r"}` || e.id != "2" {
			s.Errorf("%+v", e)
		}
		st.want("ping")
		system.add(task, 2, "\nb\rc\n\nhalf").want(200)
		st.line("a\nb\nc\n", 8)
		if e := raw.want(""); e.data != `{"offset":2,"text":"\nb\rc\n\nhalf"}` || e.id != "12" {
			s.Errorf("%+v", e)
		}
		system.add(task, 12, " é"[:2]).want(200)
		if e := raw.want(""); e.data != `{"offset":12,"text":" "}` || e.id != "13" {
			s.Errorf("%+v", e)
		}
		system.add(task, 14, " é"[2:]+"\xff").want(200)
		if e := raw.want(""); e.data != `{"offset":13,"text":"é"}` || e.id != "15" {
			s.Errorf("%+v", e)
		}
		if e := raw.want(""); e.data != `{"offset":15,"base64":"/w=="}` || e.id != "16" {
			s.Errorf("%+v", e)
		}
		system.finish(task, "succeeded").want(200)
		st.line("half é�", 16)
		st.done("succeeded", 16)
		raw.done("succeeded", 16)
	})
}

// TestTaskStreamPlace begins everywhere one may begin, and where one may not.
func TestTaskStreamPlace(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		system, anna := s.taskCast()
		task := system.newTask("anna")
		path := following(task)
		system.add(task, 0, "one\ntwo\nthree\n").want(200)
		at := func(place string) *client { return anna.with("Last-Event-ID", place) }
		reset := func(st *stream, end int) {
			s.Helper()
			e := st.want("reset")
			if o := e.object(s); o["reason"] != "invalid" || o["head"] != fmt.Sprint(end) || e.id != fmt.Sprint(end) {
				s.Errorf("reset %+v", e)
			}
		}
		var standing []*stream
		for _, st := range []*stream{at("15").stream(path), at("x").stream(path + "?from=0"), anna.stream(path + "?from=99"), at("-1").stream(path), at("04").stream(path),
			at("99999999999999999999999").stream(path), anna.stream(path + "?last_event_id=x"), at(strings.Repeat("1", 100)).stream(path)} {
			reset(st, 14)
			standing = append(standing, st)
		}
		anna.stream(path).line("one\ntwo\nthree", 14)
		anna.stream(path+"?from=4").line("two\nthree", 14)
		anna.stream(path+"?from=5").line("wo\nthree", 14)
		at("8").stream(path+"?from=0").line("three", 14)
		at("8").stream(path+"?last_event_id=0").line("three", 14)
		anna.stream(path+"?last_event_id=8&from=0").line("three", 14)
		standing = append(standing, at("14").stream(path))
		system.add(task, 14, "four\n").want(200)
		for _, st := range standing {
			st.line("four", 19)
		}
		system.finish(task, "failed").want(200)
		for _, st := range standing {
			st.done("failed", 19)
		}
		for name, c := range map[string]*client{"header": at("19"), "beats from": at("19")} {
			st := c.open(path + map[string]string{"beats from": "?from=0"}[name])
			if st.status != http.StatusNoContent {
				s.Errorf("%s: %d", name, st.status)
			}
		}
		anna.stream(path+"?from=19").done("failed", 19)
		anna.stream(path+"?last_event_id=19").done("failed", 19)
		late := at("20").stream(path)
		reset(late, 19)
		late.done("failed", 19)
		empty := system.newTask("anna")
		system.finish(empty, "canceled").want(200)
		anna.stream(following(empty)).done("canceled", 0)
	})
}

// TestTaskStreamLocked: while the session is locked there is no text and no end, and afterwards all of it.
//
// Security: S10, S13
func TestTaskStreamLocked(t *testing.T) {
	onEachWay(t, func(set *settings) { set.streams.Heartbeat = 200 * time.Millisecond }, func(s *site) {
		system, anna := s.taskCast()
		task := system.newTask("anna")
		path := following(task)
		system.add(task, 0, "before\n").want(200)
		st := anna.stream(path)
		st.line("before", 7)
		ticket := s.bearer(mint(anna, "/api/v1/stream-tickets"))
		byTicket := ticket.stream(path)
		byTicket.line("before", 7)
		anna.post("/api/v1/session/lock", nil).want(200)
		system.add(task, 7, "secret\n").want(200)
		system.finish(task, "succeeded").want(200)
		anna.get(task+"/log").refused(423, "locked")
		for _, open := range []*stream{st, byTicket} {
			if e := open.lock("locked", "manual"); e.hasID {
				s.Errorf("lock %+v", e)
			}
			for range 2 {
				if e := open.next(); e.name != "ping" {
					s.Errorf("while locked: %+v", e)
				}
			}
		}
		second := anna.with("Last-Event-ID", "14").stream(path)
		wrong := anna.with("Last-Event-ID", "15").stream(path)
		for _, open := range []*stream{second, wrong} {
			open.lock("locked", "manual")
			if e := open.next(); e.name != "ping" {
				s.Errorf("while locked: %+v", e)
			}
		}
		anna.take(anna.post("/api/v1/session/unlock", secret(password)).want(200))
		for _, open := range []*stream{st, byTicket} {
			open.lock("active", "")
			open.line("secret", 14)
			open.done("succeeded", 14)
		}
		second.lock("active", "")
		second.done("succeeded", 14)
		wrong.lock("active", "")
		wrong.want("reset")
		wrong.done("succeeded", 14)
	})
}

// TestTaskStreamEnded: the end of the session ends its streams, and tells a browser not to come back.
//
// Security: S10, S13
func TestTaskStreamEnded(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		system, anna := s.taskCast()
		task := system.newTask("anna")
		path := following(task)
		system.add(task, 0, "text\n").want(200)
		st := anna.stream(path)
		st.line("text", 5)
		anna.post("/api/v1/logout", nil).want(204)
		id := st.lock("ended", "logout").id
		st.end()
		again := anna.stream(path)
		again.lock("ended", "logout")
		again.end()
		if got := anna.with("Last-Event-ID", id).open(path).status; got != http.StatusNoContent {
			s.Errorf("come back: %d", got)
		}
		// By a key's ticket, until the person is shut out.
		host := s.bearer(s.addKey(models.ScopeTicketsWrite))
		other := s.bearer(mint(host, "/api/v1/users/anna/stream-tickets")).stream(path)
		other.line("text", 5)
		s.bearer(s.addKey(models.ScopeUsersWrite)).do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"disabled": true}).want(200)
		other.end()
	})
}

// TestTaskStreamPauses: over the limit, and at drain, a client is sent away for a while, as from the other streams.
func TestTaskStreamPauses(t *testing.T) {
	onEachWay(t, func(set *settings) { set.streams.PerUser = 1; set.streams.Drain = 10 * time.Millisecond }, func(s *site) {
		system, anna := s.taskCast()
		task := system.newTask("anna")
		path := following(task)
		system.add(task, 0, "text\n").want(200)
		ended := system.newTask("anna")
		system.finish(ended, "succeeded").want(200)
		for range 2 { // which are over at once, and count no more
			if got := anna.with("Last-Event-ID", "0").open(following(ended)).status; got != http.StatusNoContent {
				s.Errorf("nothing to come back for: %d", got)
			}
		}
		st := anna.stream(path)
		st.line("text", 5)
		over := anna.stream(path)
		if e := over.want("pause"); e.retry == "" || e.hasID {
			s.Errorf("pause %+v", e)
		}
		over.end()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s.server.Streams.Drain(ctx)
		st.want("pause")
		st.end()
		late := anna.stream(path)
		late.want("pause")
		late.end()
	})
}

// TestTaskStreamByRole: who reads as an admin does so while they are one.
func TestTaskStreamByRole(t *testing.T) {
	onEach(t, nil, func(s *site) {
		system, _ := s.taskCast()
		s.addUser("root", models.RoleAdmin)
		s.addUser("chief", models.RoleAdmin)
		task := system.newTask("anna")
		path := following(task)
		system.add(task, 0, "text\n").want(200)
		host := s.bearer(s.addKey(models.ScopeTicketsWrite))
		own, byKey := s.login("root").stream(path), s.bearer(mint(host, "/api/v1/users/root/stream-tickets")).stream(path)
		own.line("text", 5)
		byKey.line("text", 5)
		s.login("chief").do(http.MethodPatch, "/api/v1/users/root", map[string]any{"role": "user"}).want(200)
		again := s.login("root")
		byKey.want("pause")
		byKey.end()
		system.add(task, 5, "secret\n").want(200)
		again.get(path).refused(404, "not_found") // before the end of the other: its connection must not be taken for another request
		own.end()
	})
}
