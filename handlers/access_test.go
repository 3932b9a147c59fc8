package handlers_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"belfry/models"
	"belfry/services"
)

// TestAccess asks every route as everybody, and looks at what each answer tells a browser.
//
// Security: S15, S16, S17, S20, S28, S31, S32, L2
func TestAccess(t *testing.T) {
	onEach(t, func(set *settings) { overHTTPS(set); federated()(set) }, func(s *site) {
		s.addUser("target", models.RoleUser)
		cast := s.newCast()
		var seen []string
		answers := map[string][]int{}
		for _, route := range s.engine.Routes() {
			name := route.Method + " " + route.Path
			seen = append(seen, name)
			r, known := table[name]
			if !known {
				s.Errorf("%s has no row in the table: who may call it?", name)
				continue
			}
			for _, w := range everybody {
				want := r.of(w)
				if status, apart := r.except[w]; apart && want == ok {
					want = status
				}
				if want == ok {
					want = r.ok
				}
				got, header := cast.ask(route.Method, route.Path, r.body, w)
				if got != want {
					s.Errorf("%s as %s: %d, want %d", name, w, got, want)
				}
				s.armoured(name+" as "+string(w), header)
				if strings.HasPrefix(route.Path, "/api/v1/") || strings.HasPrefix(route.Path, "/sse/") {
					s.stored(name+" as "+string(w), header)
				}
				answers[name] = append(answers[name], got)
			}
			s.bothKinds(name, r, answers[name])
		}
		for name := range table {
			if !slices.Contains(seen, name) {
				s.Errorf("the table has %s, the router has not", name)
			}
		}
		s.reportAccess(answers)
	})
}

// bothKinds fails where a route gave no good answer, or refused nobody, though it does both: half of what its answers tell a
// browser was not looked at then.
func (s *site) bothKinds(name string, r row, answers []int) {
	s.Helper()
	good := slices.ContainsFunc(answers, func(status int) bool { return status < http.StatusBadRequest })
	bad := slices.ContainsFunc(answers, func(status int) bool { return status >= http.StatusBadRequest })
	takes, refuses := r.ok < http.StatusBadRequest, r.access.others != ok || len(r.named) > 0
	if (takes && !good) || (refuses && !bad) {
		s.Errorf("%s answers %v: both kinds were to be seen", name, answers)
	}
}

// reportAccess leaves the whole table where TEST_REPORTS asks for it, as it was answered.
func (s *site) reportAccess(answers map[string][]int) {
	if s.db.Dialect != services.SQLite {
		return
	}
	var text strings.Builder
	for i, w := range everybody {
		fmt.Fprintf(&text, "%2d = %s\n", i+1, w)
	}
	lines := tabwriter.NewWriter(&text, 0, 0, 1, ' ', 0)
	fmt.Fprint(lines, "\nroute")
	for i := range everybody {
		fmt.Fprintf(lines, "\t%d", i+1)
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		fmt.Fprintf(lines, "\n%s\t%s", name, strings.Trim(strings.ReplaceAll(fmt.Sprint(answers[name]), " ", "\t"), "[]"))
	}
	fmt.Fprintf(lines, "\n%d routes, each as %d\n", len(answers), len(everybody))
	_ = lines.Flush()
	report(s, "routes", text.String())
}

var counter atomic.Int64

func fresh(prefix string) string { return prefix + strconv.FormatInt(counter.Add(1), 10) }

// cast is who asks and what is asked about. Both are kept until a call has succeeded in changing
// something: who ended a session, or deleted a group, has none left.
type cast struct {
	*site
	people map[who]*actor
	group  string
	victim string
}

type actor struct {
	client *client
	person
	notice, key, passkey string
	own                  int64  // the number of the key that asks, if one does
	task, ended          string // running, and not any more
}

func (s *site) newCast() *cast {
	c := &cast{site: s, people: map[who]*actor{}}
	c.renew()
	return c
}

func (c *cast) renew() {
	c.group, c.victim = fresh("group"), fresh("victim")
	c.addUser(c.victim, models.RoleUser)
	c.exec("INSERT INTO groups (name, display_name, created_at) VALUES (?, ?, 0)", c.group, c.group)
}

func (c *cast) actor(w who) *actor {
	if a, there := c.people[w]; there {
		return a
	}
	a := &actor{}
	a.client, a.person = c.principal(w)
	a.own = c.number("SELECT COALESCE(max(id), 0) FROM api_keys")
	a.task, a.ended = c.ownTask(a, w, models.TaskRunning), c.ownTask(a, w, models.TaskSucceeded)
	a.notice = strconv.FormatInt(c.notify(a.name), 10)
	c.addKey(models.ScopeTasksWrite)
	a.key = strconv.FormatInt(c.number("SELECT max(id) FROM api_keys"), 10)
	c.exec("UPDATE users SET passkey_handle = ? WHERE username = ?", []byte(a.name), a.name)
	c.exec("INSERT INTO passkeys (name, user_id, credential_id, public_key, flags, sign_count, created_at) SELECT 'phone', id, ?, ?, 0, 0, 0 FROM users WHERE username = ?",
		[]byte(fresh("credential")), []byte("key"), a.name)
	a.passkey = strconv.FormatInt(c.number("SELECT max(id) FROM passkeys"), 10)
	c.people[w] = a
	return a
}

// cell asks one route as one principal, and gives the status.
func (c *cast) cell(method, path string, body any, w who) int {
	c.Helper()
	status, _ := c.ask(method, path, body, w)
	return status
}

// ask is cell with the answer's header.
func (c *cast) ask(method, path string, body any, w who) (int, http.Header) {
	c.Helper()
	a := c.actor(w)
	id := c.ownID(method, path, a)
	path = strings.NewReplacer(":username", c.victim, ":name", c.group, ":id", id).Replace(path)
	if method == http.MethodPost && strings.HasSuffix(path, "/log") {
		path += "?offset=0"
	}
	with := "?"
	if strings.Contains(path, with) {
		with = "&"
	}
	switch w {
	case cookieInQuery:
		path += with + "token=" + a.cookie
	case keyInQuery:
		path += with + "api_key=" + a.cookie
	}
	if strings.HasPrefix(path, "/sse/") {
		st := a.client.open(path)
		defer st.close()
		if st.status == http.StatusOK {
			st.next()
		}
		return st.status, st.header
	}
	r := a.client.do(method, path, fill(body, map[string]string{"$user": "target", "$fresh": fresh("new")}))
	switch {
	case r.status >= http.StatusBadRequest && method != http.MethodHead:
		r.problem()
	case method != http.MethodGet && method != http.MethodHead:
		delete(c.people, w)
		if strings.Contains(path, "/everyone/") { // nobody has kept a session
			clear(c.people)
		}
		c.renew()
	}
	return r.status, r.header
}

// ownID is the id of something that a route may be asked about by whoever it belongs to.
func (c *cast) ownID(method, path string, a *actor) string {
	c.Helper()
	switch {
	case strings.Contains(path, "/notices/"):
		return a.notice
	case strings.Contains(path, "/keys/"):
		return a.key
	case strings.Contains(path, "/webhooks/"):
		c.exec("INSERT INTO webhooks (url, events, secret, created_at) VALUES ('http://127.0.0.1:1', 'session.ended', '', 0)")
		return strconv.FormatInt(c.number("SELECT max(id) FROM webhooks"), 10)
	case strings.Contains(path, "/passkeys/"):
		return a.passkey
	case strings.Contains(path, "/tasks/") && method == http.MethodPost:
		return a.task
	case strings.Contains(path, "/tasks/"):
		return a.ended
	}
	return a.id
}

// ownTask is a task that the caller has created.
func (c *cast) ownTask(a *actor, w who, state models.TaskState) string {
	c.Helper()
	id := 1<<32 + counter.Add(1) // no offset of the log, which the id of a task that is made would be
	c.exec("INSERT INTO tasks (id, title, creator, audiences, state, bytes, created_at, changed_at) SELECT ?, 'x', 'user:' || id, '', ?, 0, 0, 0 FROM users WHERE username = ?", id, state, a.name)
	if w == keyTasks {
		c.exec("UPDATE tasks SET creator = 'key:' || CAST(? AS text) WHERE id = ?", itoa(a.own), id)
	}
	return strconv.FormatInt(id, 10)
}

// fill puts names into a body.
func fill(body any, names map[string]string) any {
	switch b := body.(type) {
	case string:
		if name, found := names[b]; found {
			return name
		}
	case []string:
		return slices.Collect(func(yield func(string) bool) {
			for _, text := range b {
				if !yield(fill(text, names).(string)) {
					return
				}
			}
		})
	case map[string]any:
		filled := map[string]any{}
		for name, v := range b {
			filled[name] = fill(v, names)
		}
		return filled
	}
	return body
}

// person is whose session a principal has, or would have had.
type person struct{ name, id, cookie string }

// principal makes a fresh one.
func (s *site) principal(w who) (*client, person) {
	s.Helper()
	role := models.RoleUser
	if w == admin || w == lockedAdmin {
		role = models.RoleAdmin
	}
	name := fresh("p")
	s.addUser(name, role)
	c := s.login(name)
	own := person{name, c.id, c.cookie}
	if scope, isKey := strings.CutPrefix(string(w), "key "); isKey && w != keyInQuery {
		return s.bearer(s.addKey(models.Scope(scope))), own
	}
	switch w {
	case user, admin:
	case locked, lockedAdmin:
		c.post("/api/v1/session/lock", nil).want(http.StatusOK)
	case ended:
		c.post("/api/v1/logout", nil).want(http.StatusNoContent)
	case badKey:
		return c.with("Authorization", "Bearer bfk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), own
	case ticket:
		return s.bearer(c.post("/api/v1/stream-tickets", nil).want(http.StatusCreated).text("token")), own
	case cookieBearer:
		return s.bearer(c.cookie), own
	case cookieInQuery:
	case nobody:
		return s.nobody(), own
	case keyInQuery:
		own.cookie = s.addKey(models.Scopes...)
		return s.nobody(), own
	default:
		panic(fmt.Sprint("who is ", w))
	}
	return c, own
}

// notify sends somebody a notice and gives its id.
func (s *site) notify(name string) int64 {
	s.Helper()
	key := s.bearer(s.addKey(models.ScopeNoticesWrite))
	return key.post("/api/v1/notices", map[string]any{"to": map[string]any{"users": []string{name}}, "title": "For " + name}).want(http.StatusCreated).int("id")
}

// TestForeign asks for what is somebody else's, and for ids that cannot be any: both are not there.
//
// Security: S28
func TestForeign(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		anna, bob := s.login("anna"), s.login("bob")
		notice := strconv.FormatInt(s.notify("anna"), 10)
		none := []string{"0", "-1", "01", "+1", "1.0", "1e3", "abc", "99999999999999999999", "%20", "%ff", "%00", "1%00", "%f0%9f%94%94"}
		for _, id := range append(none, notice, "123456") {
			bob.get("/api/v1/notices/"+id).refused(404, "not_found")
			bob.do(http.MethodPatch, "/api/v1/notices/"+id, map[string]any{"read": true}).refused(404, "not_found")
			bob.do(http.MethodDelete, "/api/v1/notices/"+id, nil).refused(404, "not_found")
			bob.get("/api/v1/notices/"+id+"/receipts").refused(404, "not_found")
		}
		for _, id := range append(none, anna.id) {
			bob.post("/api/v1/sessions/"+id+"/lock", nil).refused(404, "not_found")
			bob.do(http.MethodDelete, "/api/v1/sessions/"+id, nil).refused(404, "not_found")
			bob.do(http.MethodDelete, "/api/v1/passkeys/"+id, nil).refused(404, "not_found")
		}
		anna.get("/api/v1/session").want(200)
		if got := anna.get("/api/v1/notices/" + notice).want(200).at("read_at"); got != nil {
			s.Errorf("somebody else has read it at %v", got)
		}
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		for _, id := range append(none, "123456") {
			root.do(http.MethodDelete, "/api/v1/webhooks/"+id, nil).refused(404, "not_found")
		}
		keeper := s.bearer(s.addKey(models.ScopeUsersWrite, models.ScopeSessionsWrite, models.ScopeTicketsWrite))
		for _, id := range none {
			keeper.do(http.MethodDelete, "/api/v1/keys/"+id, nil).refused(404, "not_found")
			for _, route := range []string{"GET /users/$", "DELETE /users/$", "DELETE /users/$/sessions", "POST /users/$/sessions/lock", "POST /users/$/stream-tickets",
				"GET /groups/$", "DELETE /groups/$", "PUT /groups/$/members/anna"} {
				method, path, _ := strings.Cut(strings.Replace(route, "$", id, 1), " ")
				keeper.do(method, "/api/v1"+path, nil).refused(404, "not_found")
			}
		}
	})
}

// TestExpiredTicket is the one principal that time makes.
//
// Security: S16
func TestExpiredTicket(t *testing.T) {
	onEach(t, func(set *settings) { set.ticketTTL = time.Millisecond }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		token, byKey := mint(c, "/api/v1/stream-tickets"), mint(s.bearer(s.addKey(models.ScopeTicketsWrite)), "/api/v1/users/anna/stream-tickets")
		time.Sleep(2 * time.Millisecond) // the ticket's own time, on a clock that no test can turn
		for _, route := range s.engine.Routes() {
			if !strings.HasPrefix(route.Path, "/sse/") || route.Path == "/sse/clock" {
				continue
			}
			// Also beside a good cookie, which must not stand in for it.
			for _, asking := range []*client{s.bearer(token), c.with("Authorization", "Bearer "+token), s.bearer(byKey)} {
				asking.get(route.Path).refused(401, "unauthenticated")
			}
			c.get(route.Path+"?token="+token).refused(401, "unauthenticated")
		}
	})
}
