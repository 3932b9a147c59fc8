package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/models"
	"belfry/services"
)

// peerKey is a key whose notices are for a group that anna is in.
func (s *site) peerKey() string {
	s.Helper()
	s.addUser("anna", models.RoleUser)
	if _, err := s.server.Groups.Add(s.Context(), "alerts", ""); err != nil {
		s.Fatal(err)
	}
	if err := s.server.Groups.Join(s.Context(), "alerts", "anna"); err != nil {
		s.Fatal(err)
	}
	_, secret, err := s.server.Keys.Create(s.Context(), services.KeySpec{Name: "backup", Scopes: []models.Scope{models.ScopeNoticesWrite}, To: models.Target{Groups: []string{"alerts"}}})
	if err != nil {
		s.Fatal(err)
	}
	return secret
}

// newest is the first of the inbox.
func (c *client) newest() map[string]any {
	c.Helper()
	items := c.get("/api/v1/notices").want(200).items()
	if len(items) == 0 {
		c.Fatal("the inbox is empty")
	}
	return items[0]
}

// is holds members of a notice against what they should be.
func is(t testing.TB, what string, notice map[string]any, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got := notice[name]; got != value {
			t.Errorf("%s: %s is %#v, want %#v", what, name, got, value)
		}
	}
}

func withPeers(set *settings) { set.peers = true }

// TestGotify: the calls of its documentation, as curl and its clients make them.
func TestGotify(t *testing.T) {
	onEach(t, withPeers, func(s *site) {
		secret := s.peerKey()
		anna, app := s.login("anna"), s.nobody().with("X-Gotify-Key", secret)
		r := app.post("/message", map[string]any{"title": "Backup", "message": "**done**", "priority": 8, "extras": map[string]any{
			"client::display":      map[string]any{"contentType": "text/markdown"},
			"client::notification": map[string]any{"click": map[string]any{"url": "https://backup.example/7"}},
		}}).want(200)
		notice := anna.newest()
		is(s, "JSON", notice, map[string]any{"title": "Backup", "body": "**done**", "format": "markdown", "url": "https://backup.example/7", "severity": "critical", "id": float64(r.int("id"))})
		if r.text("message") != "**done**" || r.int("priority") != 8 || r.int("appid") == 0 || r.text("date") == "" || r.at("extras") == nil {
			s.Errorf("%s", r.body)
		}
		s.bearer(secret).with("Content-Type", "application/x-www-form-urlencoded").post("/message", "message=by+a+form&priority=5").want(200)
		is(s, "form", anna.newest(), map[string]any{"title": "backup", "body": "by a form", "severity": "info", "url": nil})
		app.with("Content-Type", "multipart/form-data; boundary=x").post("/message",
			"--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nmy title\r\n--x\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nmy message\r\n--x--\r\n").want(200)
		is(s, "multipart", anna.newest(), map[string]any{"title": "my title", "body": "my message"})

		once := app.with("Idempotency-Key", "k")
		if a, b := once.post("/message", `{"message":"x"}`).want(200).int("id"), once.post("/message", `{"message":"x"}`).want(200).int("id"); a != b {
			s.Errorf("made twice: %d and %d", a, b)
		}
		app.post("/message", map[string]any{"message": "m", "title": strings.Repeat("é", 300), "extras": map[string]any{
			"client::notification": map[string]any{"click": map[string]any{"url": "app://x"}}}}).want(200)
		is(s, "long", anna.newest(), map[string]any{"title": strings.Repeat("é", 199) + "…", "url": nil})
	})
}

// TestPeersRepeat: a call is the same where all is that it says, in its headers too. Another under its key is refused, or it
// would be answered as if it had been published.
func TestPeersRepeat(t *testing.T) {
	onEach(t, withPeers, func(s *site) {
		secret := s.peerKey()
		s.bearer(s.addKey(models.ScopeUsersWrite)).post("/api/v1/groups", map[string]any{"name": "repeats"}).want(201)
		once := s.bearer(secret).with("Idempotency-Key", "k")
		first := once.with("X-Title", "one").post("/repeats", "text").want(200).text("id")
		if again := once.with("X-Title", "one").post("/repeats", "text").want(200).text("id"); again != first {
			s.Errorf("made twice: %s and %s", first, again)
		}
		for _, other := range []*client{once.with("X-Title", "two"), once, once.with("X-Title", "one").with("X-Message", "more"), once.with("X-Title", "one").with("X-Priority", "5")} {
			other.post("/repeats", "text").refusedAs(400, "http", 400)
		}
	})
}

// refusedAs is an error in the peer's own shape, and gives it.
func (r *reply) refusedAs(status int, member string, value float64) map[string]any {
	r.Helper()
	var body map[string]any
	if err := json.Unmarshal(r.body, &body); err != nil || r.status != status || body[member] != value {
		r.Errorf("%s: %d, and %s is not %v: %s", r.what, r.status, member, value, r.body)
	}
	return body
}

// TestGotifyRefuses: in its shape, and nothing is published.
func TestGotifyRefuses(t *testing.T) {
	onEach(t, withPeers, func(s *site) {
		secret := s.peerKey()
		app := s.nobody().with("X-Gotify-Key", secret)
		message := `{"message":"x"}`
		for what, r := range map[string]*reply{
			"no token":    s.nobody().post("/message", message),
			"wrong token": s.nobody().with("X-Gotify-Key", "AxxxxxxxxxxxxxX").post("/message", message),
			"a session":   s.login("anna").post("/message", message),
		} {
			if body := r.refusedAs(401, "errorCode", 401); body["error"] != "Unauthorized" {
				s.Errorf("%s: %s", what, r.body)
			}
		}
		for _, query := range []string{"token", "access_token", "key", "api_key"} {
			r := s.nobody().post("/message?"+query+"="+secret, message)
			if body := r.refusedAs(401, "errorCode", 401); !strings.Contains(fmt.Sprint(body["errorDescription"]), "X-Gotify-Key") || strings.Contains(string(r.body), secret) {
				s.Errorf("%s: %s", query, r.body)
			}
		}
		app.get("/message?token="+secret).refusedAs(401, "errorCode", 401)
		s.nobody().with("X-Gotify-Key", s.addKey(models.ScopeTasksWrite)).post("/message", message).refusedAs(403, "errorCode", 403)
		s.nobody().with("X-Gotify-Key", s.addKey(models.ScopeNoticesWrite)).post("/message", message).refusedAs(400, "errorCode", 400) // to nobody
		app.get("/message").refusedAs(405, "errorCode", 405)
		for _, body := range []string{`{`, `{}`, `{"message":""}`, `{"message":7}`, `{"message":"\u0000"}`, "{\"message\":\"\xff\"}", `{"message":"` + strings.Repeat("x", 17<<10) + `"}`} {
			app.post("/message", body).refusedAs(400, "errorCode", 400)
		}
		form := app.with("Content-Type", "application/x-www-form-urlencoded")
		for _, body := range []string{"message=%00", "message=%ff", "message=x&priority=high", "title=x", "message=%zz"} {
			form.post("/message", body).refusedAs(400, "errorCode", 400)
		}
		app.post("/message", strings.Repeat(" ", 2<<20)).refusedAs(413, "errorCode", 413)
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 0 {
			s.Errorf("%d notices", n)
		}
	})
}

// TestNtfy: the calls of its documentation.
func TestNtfy(t *testing.T) {
	onEach(t, withPeers, func(s *site) {
		secret := s.peerKey()
		anna, c := s.login("anna"), s.bearer(secret)
		r := c.post("/alerts", "Backup successful\nin 7 minutes\n").want(200)
		is(s, "text", anna.newest(), map[string]any{"title": "Backup successful", "body": "in 7 minutes", "severity": "info", "category": "alerts"})
		if r.text("event") != "message" || r.text("topic") != "alerts" || r.text("id") == "" || r.int("time") == 0 || !strings.HasPrefix(r.text("message"), "Backup") {
			s.Errorf("%s", r.body)
		}
		full := c.with("Title", "=?UTF-8?B?w5xiZXJsYXN0?=").with("X-Priority", "urgent").with("ta", "warning,skull").with("Click", "https://phil.example/").with("Markdown", "yes").
			with("Icon", "https://x.example/i.png").with("X-Unknown", "x").
			with("Actions", `view, "Open; now", https://a.example/?x=1, clear=true; http, Close, https://b.example; action=view, label=More, url=https://c.example`)
		full.do(http.MethodPut, "/alerts", "a, *b*").want(200)
		notice := anna.newest()
		is(s, "headers", notice, map[string]any{"title": "Überlast", "body": "a, *b*", "severity": "critical", "url": "https://phil.example/", "format": "markdown"})
		actions, _ := notice["actions"].([]any)
		if len(actions) != 2 || actions[0].(map[string]any)["label"] != "Open; now" || actions[1].(map[string]any)["url"] != "https://c.example" {
			s.Errorf("%v", notice["actions"])
		}
		if data := notice["data"].(map[string]any); len(data["tags"].([]any)) != 2 {
			s.Errorf("%v", data)
		}
		c.post("/", map[string]any{"topic": "alerts", "title": "JSON", "message": "m", "priority": 4, "tags": []string{"x"}, "attach": "https://x", "filename": "f",
			"actions": []any{map[string]any{"action": "view", "label": "Go", "url": "https://d.example"}}}).want(200)
		is(s, "JSON", anna.newest(), map[string]any{"title": "JSON", "severity": "warning"})
		c.post("/alerts?title=of+the+query&priority=high", "x").want(200)
		is(s, "query", anna.newest(), map[string]any{"title": "of the query", "severity": "warning"})
		pair := s.nobody()
		req := pair.request(http.MethodPost, "/alerts", "")
		req.SetBasicAuth("", secret)
		req.Header.Set("Priority", "u=1, i")
		pair.send(req).want(200)
		is(s, "nothing", anna.newest(), map[string]any{"title": "triggered", "severity": "info"})

		for _, delay := range []string{"30m", "30 min", "3 hours", "2days", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10), "4102444800"} {
			before := s.number("SELECT count(*) FROM schedules")
			if r, tooFar := c.with("Delay", delay).post("/alerts", "later"), delay == "4102444800"; tooFar { // the year 2100
				r.refusedAs(400, "code", 40001)
			} else if r.want(200); s.number("SELECT count(*) FROM schedules") != before+1 {
				s.Errorf("%s: nothing is scheduled", delay)
			}
		}
	})
}

// TestNtfyRefuses: in its shape, and nothing is published.
func TestNtfyRefuses(t *testing.T) {
	onEach(t, withPeers, func(s *site) {
		secret := s.peerKey()
		c := s.bearer(secret)
		s.nobody().post("/alerts", "x").refusedAs(401, "code", 40101)
		s.bearer("tk_wrong").post("/alerts", "x").refusedAs(401, "code", 40101)
		s.bearer("tk_wrong").post("/", `{"topic":"alerts"}`).refusedAs(401, "http", 401)
		s.login("anna").post("/alerts", "x").refusedAs(401, "code", 40101)
		if body := c.post("/alerts?auth=QmVhcmVyIHg", "x").refusedAs(401, "code", 40101); !strings.Contains(fmt.Sprint(body["error"]), "address") {
			s.Errorf("%v", body)
		}
		for _, path := range []string{"/alerts?token=", "/?access_token="} {
			c.post(path+secret, "x").refusedAs(401, "code", 40101)
		}
		if body := s.nobody().get("/alerts/publish?token="+secret).refusedAs(401, "code", 40101); !strings.Contains(fmt.Sprint(body["error"]), "Authorization: Bearer") {
			s.Errorf("%v", body)
		}
		s.bearer(s.addKey(models.ScopeTasksWrite)).post("/alerts", "x").refusedAs(403, "code", 40301)
		for _, path := range []string{"/alerts/publish?message=x", "/alerts/send", "/alerts/trigger"} {
			c.get(path).refusedAs(405, "http", 405)
		}
		for _, path := range []string{"/alerts/json", "/alerts/sse", "/alerts/ws"} {
			c.get(path).refusedAs(404, "code", 40401)
		}
		for _, topic := range []string{"inbox", "Inbox", "everyone", "nobody-has-it", "a,b", "%20", "docs"} {
			c.post("/"+topic, "x").refusedAs(400, "http", 400)
		}
		for name, value := range map[string]string{"Priority": "6", "In": "9999999d", "Actions": "view"} {
			c.with(name, value).post("/alerts", "x").refusedAs(400, "code", 40001)
		}
		for _, delay := range []string{"tomorrow, 10am", "tuesday 3pm", "10am", "in 30 min", "2026-12-24 18:00", "-5m", "1h30m"} {
			body := c.with("Delay", delay).post("/alerts", "x").refusedAs(400, "code", 40001)
			if told := fmt.Sprint(body["error"]); !strings.Contains(told, "no words") || strings.Contains(told, delay) {
				s.Errorf("%s: %s", delay, told)
			}
		}
		c.with("Title", "=?utf-8?q?=00?=").post("/alerts", "x").refusedAs(400, "http", 400)
		c.post("/alerts", "\xff").refusedAs(400, "http", 400)
		c.post("/", `{"topic":"alerts","priority":9}`).refusedAs(400, "http", 400)
		c.post("/", `[]`).refusedAs(400, "http", 400)
		c.post("/alerts", strings.Repeat("x", 2<<20)).refusedAs(413, "code", 41301)
		if n := s.number("SELECT (SELECT count(*) FROM entries WHERE kind = 'notice') + (SELECT count(*) FROM schedules)"); n != 0 {
			s.Errorf("%d notices", n)
		}
		s.nobody().post("/api/v1/none", "x").refused(404, "not_found")
		if r := s.nobody().get("/inbox").want(200); !strings.Contains(r.header.Get("Content-Type"), "html") {
			s.Errorf("the page is %s", r.header.Get("Content-Type"))
		}
	})
}

// TestPeersAreOff unless they are turned on.
func TestPeersAreOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, sqliteAddress(t), nil)
	secret := s.peerKey()
	for _, path := range []string{"/message", "/alerts", "/"} {
		s.bearer(secret).post(path, `{"topic":"alerts","message":"x"}`).refused(405, "method_not_allowed")
	}
}

// TestNoTopicIsAnAddress: whatever the page and its files are called cannot be a topic.
func TestNoTopicIsAnAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, sqliteAddress(t), withPeers)
	c := s.bearer(s.peerKey())
	routes, err := os.ReadFile("../web/src/router.ts")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, found := range regexp.MustCompile(`path: '/([a-z-]+)`).FindAllStringSubmatch(string(routes), -1) {
		names = append(names, found[1])
	}
	files, err := filepath.Glob("../web/public/*")
	if err != nil || len(names) < 5 || len(files) < 2 {
		t.Fatal(err, names, files)
	}
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	for _, route := range s.engine.Routes() {
		if first, _, _ := strings.Cut(strings.TrimPrefix(route.Path, "/"), "/"); first != "api" && first != "sse" && first != "" {
			names = append(names, first)
		}
	}
	for _, name := range names {
		if status := c.post("/"+name, "x").status; status != 400 && status != 405 {
			t.Errorf("%s: %d", name, status)
		}
		if _, err := s.server.Groups.Add(t.Context(), name, ""); err == nil {
			if status := c.post("/"+name, "x").status; status != 400 && status != 405 {
				t.Errorf("%s, a group: %d", name, status)
			}
		}
	}
}
