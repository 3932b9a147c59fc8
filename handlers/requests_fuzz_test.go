package handlers_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"belfry/models"
)

// askers are those of the table who get far enough for a body to be read.
var askers = []who{admin, user, locked, keyNotices, keyUsers, nobody}

// FuzzRequests sends anything to every route of the JSON API: no answer is a 5xx, and each is as the description says.
func FuzzRequests(f *testing.F) {
	s := newSite(f, sqliteAddress(f), func(set *settings) { set.rate.Count = 1 << 30 })
	s.addUser("target", models.RoleUser)
	cast := s.newCast()
	routes := slices.DeleteFunc(s.engine.Routes(), func(r gin.RouteInfo) bool { return !strings.HasPrefix(r.Path, "/api/v1/") })
	slices.SortFunc(routes, func(a, b gin.RouteInfo) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	for i, route := range routes {
		body, err := json.Marshal(fill(table[route.Method+" "+route.Path].body, map[string]string{"$user": "target", "$fresh": "new"}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), uint8(0), "1", "limit=1&q=x&before=1", "", body)
		f.Add(uint8(i), uint8(1+i%(len(askers)-1)), "target", "", "once", bytes.ReplaceAll(body, []byte(`"`), []byte(`"\ud83d\udd14`)))
	}
	f.Fuzz(func(t *testing.T, route, as uint8, id, query, key string, body []byte) {
		s.TB = t
		defer func() { s.TB = f }()
		chosen, asking := routes[int(route)%len(routes)], askers[int(as)%len(askers)]
		a := cast.actor(asking)
		r := a.client.request(chosen.Method, "/", body)
		r.URL.Path, r.URL.RawQuery = strings.NewReplacer(":id", id, ":name", id, ":username", id).Replace(chosen.Path), query
		r.Header.Set("Content-Type", "application/json")
		if strings.HasSuffix(chosen.Path, "/batch") {
			r.Header.Set("Content-Type", "application/x-ndjson")
		}
		if key != "" && !strings.ContainsAny(key, "\r\n\x00") { // Go's server would not let these in
			r.Header.Set("Idempotency-Key", key)
		}
		w := httptest.NewRecorder()
		s.engine.ServeHTTP(w, r)
		answer := &reply{TB: t, what: chosen.Method + " " + chosen.Path, status: w.Code, header: w.Header(), body: w.Body.Bytes()}
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s as %s: %d: %s\n%s", answer.what, asking, w.Code, answer.body, s.log)
		}
		if w.Code >= http.StatusBadRequest {
			answer.problem()
		}
		s.conforms(r, answer)
		if chosen.Method != http.MethodGet && w.Code < http.StatusBadRequest {
			cast.dismiss(chosen.Path)
		}
		described.seen.Clear() // what is kept of millions of answers would fill the memory
		s.log.reset()
	})
}

// dismiss lets those go whom a request may have changed: their sessions by routes of sessions, themselves by those of people.
func (c *cast) dismiss(path string) {
	for _, of := range []string{"log", "session", "password", "users", "keys"} {
		if strings.Contains(path, of) {
			maps.DeleteFunc(c.people, func(who, *actor) bool { return true })
			return
		}
	}
}

func (b *logBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}
