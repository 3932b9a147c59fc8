package handlers_test

import (
	"strings"
	"testing"

	"belfry/models"
)

// moments are those of an event of figures.
func (st *stream) moments() []any {
	st.Helper()
	list, _ := st.want("stats").object(st)["moments"].([]any)
	if len(list) == 0 {
		st.Fatal("an event of figures without any")
	}
	return list
}

// afterFigures passes over those that were on their way, and wants this event then.
func (st *stream) afterFigures(name string) {
	st.Helper()
	for range 5 {
		if e := st.next(); e.name == name {
			return
		}
	}
	st.Fatalf("no %s between all those figures", name)
}

// TestStatsStream feeds charts: what there was to begin with, then second by second; nothing while the session is locked, and
// that later; and it is over for who is no admin any more.
func TestStatsStream(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		s.addUser("boss", models.RoleAdmin)
		root, boss := s.login("root"), s.login("boss")
		host := s.bearer(s.addKey(models.ScopeTicketsWrite))
		s.bearer(mint(host, "/api/v1/users/root/stream-tickets")).get("/sse/stats").refused(403, "forbidden")
		st := root.stream("/sse/stats")
		st.lock("active", "")
		last := st.moments()
		if next := st.moments(); len(next) != 1 || next[0].(map[string]any)["at"].(string) <= last[len(last)-1].(map[string]any)["at"].(string) {
			s.Errorf("after %v came %v", last, next)
		}
		node := last[len(last)-1].(map[string]any)["nodes"].([]any)[0].(map[string]any)
		if node["name"] != "here:8080" || node["lag_p99_ms"] != nil {
			s.Errorf("the node is %v", node)
		}
		root.post("/api/v1/session/lock", nil).want(200)
		st.afterFigures("lock")
		root.take(root.post("/api/v1/session/unlock", map[string]any{"password": password}).want(200))
		st.lock("active", "") // and no figures between
		st.moments()
		boss.do("PATCH", "/api/v1/users/root", map[string]any{"role": "user"}).want(200)
		st.afterFigures("pause")
		st.end()
		root.get("/sse/stats").refused(403, "forbidden")
	})
}

// TestStats: who is connected, and what became of what was for them.
func TestStats(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		s.addUser("anna", models.RoleUser)
		root, anna := s.login("root"), s.login("anna")
		st := anna.stream("/sse/stream")
		st.hello("active", "")
		s.notify("anna")
		st.want("notice")
		list := root.get("/api/v1/streams?user=ANNA").want(200)
		if streams := list.items(); len(streams) != 1 || streams[0]["user"] != "anna" || streams[0]["kind"] != "notices" || streams[0]["node"] != "here:8080" ||
			streams[0]["session"] == anna.id || streams[0]["lag_ms"] != float64(0) {
			s.Errorf("%s", list.body)
		}
		if list.int("open") != 1 { // not as of the last beat, a second ago
			s.Errorf("%s", list.body)
		}
		root.get("/api/v1/streams?user=nobody").refused(404, "not_found")
		root.get("/api/v1/streams?limit=201").refused(422, "invalid")
		root.get("/api/v1/stats?user=nobody").refused(404, "not_found")
		if got := root.get("/api/v1/streams?user=root").want(200); len(got.items()) != 0 || got.int("open") != 1 {
			s.Errorf("of somebody without a stream: %s", got.body)
		}
		// What is written is counted after it was: the reader may have it by then.
		person := root.get("/api/v1/stats?user=anna").want(200)
		for person.int("user", "delivered", "waiting") > 0 {
			person = root.get("/api/v1/stats?user=anna").want(200)
		}
		for member, want := range map[string]int64{"stored": 1, "delivered.queued": 1, "delivered.written": 1, "delivered.evicted": 0} {
			if got := person.int(append([]string{"user"}, strings.Split(member, ".")...)...); got != want {
				s.Errorf("%s is %d: %s", member, got, person.body)
			}
		}
		all := root.stream("/sse/stats")
		all.lock("active", "")
		all.moments()
		all.moments() // one that began after all of the above
		body := root.get("/api/v1/stats").want(200)
		if body.int("stored") != 1 || body.int("delivered", "written") != 1 || body.at("user") != nil {
			s.Errorf("%s", body.body)
		}
	})
}
