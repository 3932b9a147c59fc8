package handlers_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"belfry/models"
)

// newTask begins a task for some people and gives its address under /api/v1.
func (c *client) newTask(users ...string) string {
	c.Helper()
	r := c.post("/api/v1/tasks", map[string]any{"title": "Deploy", "to": map[string]any{"users": users}}).want(201)
	return "/api/v1/tasks/" + itoa(r.int("id"))
}

// add appends to a task's log at a place, and gives the answer.
func (c *client) add(task string, offset int, text string) *reply {
	c.Helper()
	return c.post(fmt.Sprintf("%s/log?offset=%d", task, offset), []byte(text))
}

func (c *client) finish(task, state string) *reply {
	c.Helper()
	return c.post(task+"/finish", map[string]any{"state": state})
}

// taskCast is a system that runs tasks, and somebody who reads them.
func (s *site) taskCast() (system, anna *client) {
	s.Helper()
	s.addUser("anna", models.RoleUser)
	return s.bearer(s.addKey(models.ScopeTasksWrite)), s.login("anna")
}

func TestTask(t *testing.T) {
	onEach(t, nil, func(s *site) {
		system, anna := s.taskCast()
		stream := anna.stream("/sse/stream?event=task&event=notice")
		stream.hello("active", "")
		task := system.newTask("anna")
		id := strings.TrimPrefix(task, "/api/v1/tasks/")
		begun := system.get(task).want(200)
		if begun.text("state") != "running" || begun.int("bytes") != 0 || begun.at("exit_code") != nil || begun.at("ended_at") != nil {
			s.Errorf("begun: %s", begun.body)
		}
		if e := stream.want("task").object(s); fmt.Sprint(e["id"]) != id || e["title"] != "Deploy" || e["state"] != "running" || e["bytes"] != 0.0 || len(e) != 4 {
			s.Errorf("task %v", e)
		}
		if got := system.add(task, 0, "one\ntwo").want(200).int("end"); got != 7 {
			s.Errorf("end %d", got)
		}
		log := anna.get(task + "/log?from=4").want(200)
		if string(log.body) != "two" || log.header.Get("Log-End") != "7" || log.header.Get("Task-State") != "running" || log.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			s.Errorf("%q %v", log.body, log.header)
		}
		if got := system.post(task+"/log?offset=3", []byte("x")).refused(409, "conflict").int("end"); got != 7 {
			s.Errorf("the conflict names %d", got)
		}
		done := system.post(task+"/finish", map[string]any{"state": "failed", "exit_code": 2}).want(200)
		if done.text("state") != "failed" || done.int("exit_code") != 2 || done.int("bytes") != 7 || done.at("ended_at") == nil {
			s.Errorf("finished: %s", done.body)
		}
		if e := stream.want("task").object(s); e["state"] != "failed" || e["bytes"] != 7.0 {
			s.Errorf("task %v", e)
		}
		n := stream.want("notice").object(s)
		if n["title"] != "Deploy" || n["severity"] != "warning" || n["category"] != "task" || n["url"] != "/tasks/"+id || !strings.HasPrefix(n["body"].(string), "Failed with exit code 2 after ") {
			s.Errorf("notice %v", n)
		}
		system.finish(task, "succeeded").refused(409, "conflict")
		if got := system.add(task, 7, "late").refused(409, "conflict").int("end"); got != 7 {
			s.Errorf("after the end the conflict names %d", got)
		}
		if got := anna.get("/api/v1/tasks").want(200).items(); len(got) != 1 || got[0]["state"] != "failed" {
			s.Errorf("items %v", got)
		}
		past := anna.get(task + "/log?from=99").want(200)
		if len(past.body) != 0 || past.header.Get("Log-End") != "7" || past.header.Get("Task-State") != "failed" {
			s.Errorf("%q %v", past.body, past.header)
		}
	})
}

// TestTaskReaders: recipients, the creator and admins; for anybody else it is not there.
//
// Security: S14, S28
func TestTaskReaders(t *testing.T) {
	onEach(t, nil, func(s *site) {
		system, anna := s.taskCast()
		s.addUser("bob", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		bob, root, other := s.login("bob"), s.login("root"), s.bearer(s.addKey(models.ScopeTasksWrite))
		task := system.newTask("anna")
		system.add(task, 0, "secret\n").want(200)
		path := "/sse/tasks/" + strings.TrimPrefix(task, "/api/v1/tasks/")
		for _, c := range []*client{bob, other} {
			c.get(task).refused(404, "not_found")
			c.get(task+"/log").refused(404, "not_found")
			if n := len(c.get("/api/v1/tasks").want(200).items()); n != 0 {
				s.Errorf("%d tasks of others", n)
			}
		}
		bob.get(path).refused(404, "not_found")
		other.add(task, 7, "x").refused(404, "not_found")
		other.finish(task, "failed").refused(404, "not_found")
		for _, id := range []string{"0", "-1", "01", "abc", "99999999999999999999", "123456"} {
			anna.get("/api/v1/tasks/"+id).refused(404, "not_found")
			anna.get("/api/v1/tasks/"+id+"/log").refused(404, "not_found")
			anna.get("/sse/tasks/"+id).refused(404, "not_found")
			system.add("/api/v1/tasks/"+id, 0, "x").refused(404, "not_found")
			system.finish("/api/v1/tasks/"+id, "failed").refused(404, "not_found")
		}
		s.nobody().get(path).refused(401, "unauthenticated")
		for _, c := range []*client{anna, root, system} {
			c.get(task).want(200)
			if n := len(c.get("/api/v1/tasks").want(200).items()); n != 1 {
				s.Errorf("%d tasks", n)
			}
		}
		root.stream(path).want("")
		root.add(task, 7, "by an admin\n").want(200)

		// Of a group's tasks, and of everyone's, those that began later than one joined, as long as one is there.
		root.post("/api/v1/groups", map[string]any{"name": "ops"}).want(201)
		early := system.post("/api/v1/tasks", map[string]any{"title": "early", "to": map[string]any{"groups": []string{"ops"}}}).want(201).int("id")
		root.do(http.MethodPut, "/api/v1/groups/ops/members/bob", nil).want(200)
		late := system.post("/api/v1/tasks", map[string]any{"title": "late", "to": map[string]any{"groups": []string{"ops"}}}).want(201).int("id")
		all := system.post("/api/v1/tasks", map[string]any{"title": "all", "to": map[string]any{"everyone": true}}).want(201).int("id")
		s.addUser("carl", models.RoleUser)
		carl := s.login("carl")
		carl.get("/api/v1/tasks/"+itoa(all)).refused(404, "not_found")
		bob.get("/api/v1/tasks/"+itoa(early)).refused(404, "not_found")
		bob.get("/api/v1/tasks/" + itoa(all)).want(200)
		for c, want := range map[*client]string{bob: "all late", carl: ""} {
			if got := titlesOf(c.get("/api/v1/tasks").want(200).items()); got != want {
				s.Errorf("one who is to read %q reads %q", want, got)
			}
		}
		st := bob.stream("/sse/tasks/" + itoa(late))
		system.add("/api/v1/tasks/"+itoa(late), 0, "for ops\n").want(200)
		st.want("")
		root.do(http.MethodDelete, "/api/v1/groups/ops/members/bob", nil).want(204)
		system.add("/api/v1/tasks/"+itoa(late), 8, "no more\n").want(200)
		st.end()
		bob.get("/sse/tasks/"+itoa(late)).refused(404, "not_found")
	})
}

// TestTaskPages: a page at a time, the newest first.
func TestTaskPages(t *testing.T) {
	onEach(t, nil, func(s *site) {
		system, anna := s.taskCast()
		for _, title := range []string{"first", "second", "third", "fourth"} {
			system.post("/api/v1/tasks", map[string]any{"title": title, "to": map[string]any{"users": []string{"anna"}}}).want(201)
		}
		newest := anna.get("/api/v1/tasks?limit=3").want(200)
		rest := anna.get("/api/v1/tasks?limit=3&before=" + newest.text("next_before")).want(200)
		if got := titlesOf(append(newest.items(), rest.items()...)); got != "fourth third second first" || rest.at("next_before") != nil {
			s.Errorf("pages %s, %v", got, rest.at("next_before"))
		}
	})
}

func titlesOf(items []map[string]any) string {
	var titles []string
	for _, i := range items {
		titles = append(titles, i["title"].(string))
	}
	return strings.Join(titles, " ")
}

func TestTaskInput(t *testing.T) {
	onEach(t, nil, func(s *site) {
		system, anna := s.taskCast()
		for body, want := range map[string]int{
			`{"title":"x"}`: 201, `{"title":"x","to":{}}`: 201, `{"title":""}`: 422, `{}`: 422, `{"title":"x","to":{"users":["nobody"]}}`: 422,
			`{"title":"` + strings.Repeat("🔔", 200) + `"}`: 201, `{"title":"` + strings.Repeat("🔔", 201) + `"}`: 422, `{"title":"x","state":"failed"}`: 422, `{`: 400,
		} {
			system.post("/api/v1/tasks", body).want(want)
		}
		task := system.newTask("anna")
		for query, want := range map[string]int{"": 422, "?offset=": 422, "?offset=x": 422, "?offset=-1": 422, "?offset=1": 409, "?offset=0": 200} {
			system.post(task+"/log"+query, []byte{}).want(want)
		}
		for _, query := range []string{"?from=x", "?from=-1", "?from=01", "?from=1.0"} {
			anna.get(task+"/log"+query).refused(422, "invalid")
			anna.get("/sse/tasks/"+strings.TrimPrefix(task, "/api/v1/tasks/")+query).refused(422, "invalid")
		}
		anna.get("/sse/tasks/"+strings.TrimPrefix(task, "/api/v1/tasks/")+"?format=xml").refused(422, "invalid")
		for _, body := range []string{`{"state":"running"}`, `{"state":"done"}`, `{}`, `{"state":"failed","exit_code":"1"}`, `{"state":"failed","exit_code":4294967296}`} {
			system.post(task+"/finish", body).refused(422, "invalid")
		}
		// Bytes are bytes, whatever their type says, up to the cap.
		raw := make([]byte, 16<<20)
		for i := range raw {
			raw[i] = byte(i * 7)
		}
		req := system.request(http.MethodPost, task+"/log?offset=0", raw)
		req.Header.Set("Content-Type", "image/png; q=\"")
		if got := system.send(req).want(200).int("end"); got != 16<<20 {
			s.Errorf("end %d", got)
		}
		system.post(task+"/log?offset=0", append(raw, 0)).refused(413, "too_large")
		if got := anna.get(task + "/log?from=1048577").want(200); !bytes.Equal(got.body, raw[1048577:]) {
			s.Errorf("%d bytes came back", len(got.body))
		}
		for _, c := range []struct {
			query    string
			from, to int
		}{{"from=65530&limit=70000", 65530, 135530}, {"limit=1", 0, 1}, {"from=16777200&limit=9999", 16777200, 16 << 20}, {"from=99999999&limit=9223372036854775807", 16 << 20, 16 << 20}} {
			got := anna.get(task + "/log?" + c.query).want(200)
			if !bytes.Equal(got.body, raw[c.from:c.to]) || got.header.Get("Log-End") != "16777216" || got.header.Get("Content-Length") != strconv.Itoa(c.to-c.from) {
				s.Errorf("%s: %d bytes, %v", c.query, len(got.body), got.header)
			}
		}
		for _, query := range []string{"limit=0", "limit=-1", "limit=x"} {
			anna.get(task+"/log?"+query).refused(422, "invalid")
		}
		s.exec("UPDATE tasks SET bytes = ?", models.MaxTaskLog-1)
		system.post(fmt.Sprintf("%s/log?offset=%d", task, models.MaxTaskLog-1), []byte("xy")).refused(413, "too_large")
	})
}

// TestTaskOnce: the same request again makes nothing, and gets the same answer.
func TestTaskOnce(t *testing.T) {
	onEach(t, nil, func(s *site) {
		system, anna := s.taskCast()
		create := system.with("Idempotency-Key", "create")
		body := map[string]any{"title": "Deploy", "to": map[string]any{"users": []string{"anna"}}}
		first := create.post("/api/v1/tasks", body).want(201)
		task := "/api/v1/tasks/" + itoa(first.int("id"))
		one := system.with("Idempotency-Key", "append")
		one.add(task, 0, "line\n").want(200)
		again := one.add(task, 0, "line\n").want(200)
		if again.header.Get("Idempotency-Replayed") != "true" || again.int("end") != 5 {
			s.Errorf("%s %v", again.body, again.header)
		}
		one.add(task, 0, "another\n").refused(422, "idempotency_mismatch")
		one.add(task, 5, "line\n").refused(422, "idempotency_mismatch")
		system.finish(task, "succeeded").want(200)
		s.exec("DELETE FROM users WHERE username = 'anna'")
		again = create.post("/api/v1/tasks", body).want(201)
		if string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%s %v, first %s", again.body, again.header, first.body)
		}
		create.post("/api/v1/tasks", map[string]any{"title": "other"}).refused(422, "idempotency_mismatch")
		if got := s.number("SELECT count(*) FROM tasks"); got != 1 {
			s.Errorf("%d tasks", got)
		}
		_ = anna
	})
}

// TestTaskAppendRace: of many who append at once at one place one does, and the others are told the true end.
func TestTaskAppendRace(t *testing.T) {
	onEach(t, nil, func(s *site) {
		system, anna := s.taskCast()
		task := system.newTask("anna")
		want := ""
		for round := range 10 {
			var mu sync.Mutex
			var won, ends []string
			var wg sync.WaitGroup
			for i := range 5 {
				wg.Go(func() {
					text := fmt.Sprintf("%d by %d\n", round, i)
					r := system.add(task, len(want), text)
					mu.Lock()
					defer mu.Unlock()
					if r.status == 200 {
						won = append(won, text)
					} else {
						ends = append(ends, fmt.Sprint(r.refused(409, "conflict").at("end")))
					}
				})
			}
			wg.Wait()
			if len(won) != 1 {
				s.Fatalf("%d have appended", len(won))
			}
			want += won[0]
			for _, end := range ends {
				if end != fmt.Sprint(len(want)) {
					s.Errorf("a conflict names %s, the end is %d", end, len(want))
				}
			}
		}
		if got := string(anna.get(task + "/log").want(200).body); got != want {
			s.Errorf("%q, want %q", got, want)
		}
		// Of an append and a finish one is first, and what was acknowledged is there.
		var wg sync.WaitGroup
		var added *reply
		wg.Go(func() { added = system.add(task, len(want), "x") })
		wg.Go(func() { system.finish(task, "canceled").want(200) })
		wg.Wait()
		if added.status == 200 {
			want += "x"
		}
		log := anna.get(task + "/log").want(200)
		if string(log.body) != want || log.header.Get("Task-State") != "canceled" {
			s.Errorf("%d: %q", added.status, log.body)
		}
	})
}
