package handlers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/models"
)

// TestAccess asks every route as everybody.
func TestAccess(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("target", models.RoleUser)
		cast := s.newCast()
		var seen []string
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
				if got := cast.cell(route.Method, route.Path, r.body, w); got != want {
					s.Errorf("%s as %s: %d, want %d", name, w, got, want)
				}
			}
		}
		for name := range table {
			if !slices.Contains(seen, name) {
				s.Errorf("the table has %s, the router has not", name)
			}
		}
	})
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
	notice, key string
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
	a.notice = strconv.FormatInt(c.notify(a.name), 10)
	c.addKey(models.ScopeTasksWrite)
	a.key = strconv.FormatInt(c.number("SELECT max(id) FROM api_keys"), 10)
	c.people[w] = a
	return a
}

// cell asks one route as one principal, and gives the status.
func (c *cast) cell(method, path string, body any, w who) int {
	c.Helper()
	a := c.actor(w)
	id := a.id
	switch {
	case strings.Contains(path, "/notices/"):
		id = a.notice
	case strings.Contains(path, "/keys/"):
		id = a.key
	}
	path = strings.NewReplacer(":username", c.victim, ":name", c.group, ":id", id).Replace(path)
	switch w {
	case cookieInQuery:
		path += "?token=" + a.cookie
	case keyInQuery:
		path += "?api_key=" + a.cookie
	}
	if strings.HasPrefix(path, "/sse/") {
		st := a.client.open(path)
		defer st.close()
		if st.status == http.StatusOK {
			st.next()
		}
		return st.status
	}
	r := a.client.do(method, path, fill(body, map[string]string{"$user": "target", "$fresh": fresh("new")}))
	switch {
	case r.status >= http.StatusBadRequest && method != http.MethodHead:
		r.problem()
	case method != http.MethodGet && method != http.MethodHead:
		delete(c.people, w)
		c.renew()
	}
	return r.status
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
		}
		for _, id := range append(none, anna.id) {
			bob.post("/api/v1/sessions/"+id+"/lock", nil).refused(404, "not_found")
			bob.do(http.MethodDelete, "/api/v1/sessions/"+id, nil).refused(404, "not_found")
		}
		anna.get("/api/v1/session").want(200)
		if got := anna.get("/api/v1/notices/" + notice).want(200).at("read_at"); got != nil {
			s.Errorf("somebody else has read it at %v", got)
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
func TestExpiredTicket(t *testing.T) {
	onEach(t, func(set *settings) { set.ticketTTL = time.Millisecond }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		token := c.post("/api/v1/stream-tickets", nil).want(201).text("token")
		time.Sleep(2 * time.Millisecond) // the ticket's own time, on a clock that no test can turn
		for _, route := range s.engine.Routes() {
			if !strings.HasPrefix(route.Path, "/sse/") || route.Path == "/sse/clock" {
				continue
			}
			// Also beside a good cookie, which must not stand in for it.
			for _, asking := range []*client{s.bearer(token), c.with("Authorization", "Bearer "+token)} {
				asking.get(route.Path).refused(401, "unauthenticated")
			}
			c.get(route.Path+"?token="+token).refused(401, "unauthenticated")
		}
	})
}
