package handlers_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

var (
	walkSeed  = flag.Uint64("walk.seed", 1, "chooses among the requests of the walk")
	walkCases = flag.Int("walk.cases", 4, "how many requests each operation gets of each principal that may call it; 0 = all")
)

// step is a request of the walk.
type step struct {
	path   map[string]string // by variable; the right ones where there is none
	query  string
	header map[string]string
	body   raw
	media  string
}

// TestWalk goes through every operation of the description with valid, edge and invalid input, as each principal that may
// call it. No answer is a 5xx, each is one that is described, and nothing that the description forbids is taken.
func TestWalk(t *testing.T) {
	onEach(t, func(set *settings) { set.rate.Count = 1 << 30 }, func(s *site) {
		s.addUser("target", models.RoleUser)
		w := &walk{cast: s.newCast(), random: rand.New(rand.NewPCG(*walkSeed, 0)), statuses: map[int]int{}}
		s.describe()
		for _, path := range slices.Sorted(maps.Keys(described.api.Paths.Map())) {
			operations := described.api.Paths.Value(path).Operations()
			for _, method := range slices.Sorted(maps.Keys(operations)) {
				w.operation(method, path, operations[method])
			}
		}
		if s.db.Dialect == services.SQLite {
			report(s, "walk", fmt.Sprintf("seed %d: %d requests, answered %v\n", *walkSeed, w.sent, w.statuses))
		}
	})
}

type walk struct {
	*cast
	random   *rand.Rand
	sent     int
	statuses map[int]int
}

func (w *walk) operation(method, path string, op *openapi3.Operation) {
	route := strings.NewReplacer("{", ":", "}", "").Replace(path)
	rule, known := table[method+" "+route]
	if !known {
		w.Errorf("%s %s has no row in the table: who may call it?", method, route)
		return
	}
	steps := stepsOf(op, fill(rule.body, map[string]string{"$user": "target", "$fresh": "walked"}))
	for _, as := range everybody {
		if rule.of(as) != ok || as == ended {
			continue
		}
		chosen := steps
		if *walkCases > 0 && *walkCases < len(steps) {
			chosen = []step{steps[0]} // the right one
			for _, i := range w.random.Perm(len(steps) - 1)[:*walkCases-1] {
				chosen = append(chosen, steps[i+1])
			}
		}
		for _, st := range chosen {
			w.send(method, route, op, as, st)
		}
	}
}

// stepsOf makes an operation's requests: the right one, then those that differ from it in one thing.
func stepsOf(op *openapi3.Operation, body any) []step {
	media, schema := requestSchema(op)
	right := step{media: media}
	members := map[string]raw{}
	if o, is := body.(map[string]any); is {
		for name, value := range o {
			text, err := json.Marshal(value)
			if err != nil {
				panic(err)
			}
			members[name] = raw(text)
		}
		right.body = object(members)
	}
	steps := []step{right}
	vary := func(change func(*step)) {
		other := right
		change(&other)
		steps = append(steps, other)
	}
	for _, p := range op.Parameters {
		for _, value := range parameterEdges(p.Value) {
			switch p.Value.In {
			case openapi3.ParameterInPath:
				vary(func(st *step) { st.path = map[string]string{p.Value.Name: value} })
			case openapi3.ParameterInQuery:
				vary(func(st *step) { st.query = p.Value.Name + "=" + url.QueryEscape(value) })
				vary(func(st *step) { st.query = strings.Repeat(p.Value.Name+"="+url.QueryEscape(value)+"&", 2) })
			case openapi3.ParameterInHeader:
				vary(func(st *step) { st.header = map[string]string{p.Value.Name: value} })
			}
		}
	}
	for _, query := range []string{"unknown=1", "%zz", "%ff=1", "a=%00", ";", "&&=&", "limit[]=1", strings.Repeat("x=1&", 500)} {
		vary(func(st *step) { st.query = query })
	}
	for _, media := range []string{"", "text/plain", "application/xml", "multipart/form-data", "application/json; charset=utf-16", "APPLICATION/JSON", "/", "x;y=\"", "application/x-ndjson"} {
		vary(func(st *step) { st.media = media })
	}
	bodies := []raw{"", " ", "{", "}", "[1,]", `{"a":1,}`, "{} {}", "\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00", "<a/>", raw(strings.Repeat("[", 20000)), raw(strings.Repeat(" ", middleware.MaxBody+1))}
	if schema != nil {
		bodies = append(bodies, edges(schema, members)...)
	}
	for _, body := range bodies {
		vary(func(st *step) { st.body = body })
	}
	return steps
}

func requestSchema(op *openapi3.Operation) (media string, schema *openapi3.Schema) {
	if op.RequestBody == nil {
		return "", nil
	}
	media = slices.Sorted(maps.Keys(op.RequestBody.Value.Content))[0] // JSON before a form
	return media, op.RequestBody.Value.Content[media].Schema.Value
}

func parameterEdges(p *openapi3.Parameter) []string {
	if p.In == openapi3.ParameterInPath {
		return []string{"0", "-1", "01", "1.0", "123456", "99999999999999999999", "é", "a b", "\x00", "\xff", "null", strings.Repeat("a", 3000), "'", "."}
	}
	values := []string{""}
	if p.Schema.Value.Type.Includes("integer") {
		values = append(values, bounds(p.Schema.Value)...)
	}
	values = append(values, stringEdges(p.Schema.Value)...)
	if p.In == openapi3.ParameterInHeader { // of what Go's client sends at all
		values = slices.DeleteFunc(append(values, "\xff"), func(v string) bool { return strings.ContainsAny(v, "\x00\x7f\r\n") })
	}
	return values
}

func (w *walk) send(method, route string, op *openapi3.Operation, as who, st step) {
	w.Helper()
	a := w.actor(as)
	path := route
	for name, value := range map[string]string{"username": w.victim, "name": w.group, "id": w.ownID(method, route, a)} {
		path = strings.Replace(path, ":"+name, url.PathEscape(cmp.Or(st.path[name], value)), 1)
	}
	req := a.client.request(method, "/", string(st.body))
	target, err := url.Parse(w.url + path)
	if err != nil {
		w.Fatal(err)
	}
	target.RawQuery = st.query
	req.URL = target
	req.Header.Del("Content-Type")
	if st.media != "" {
		req.Header.Set("Content-Type", st.media)
	}
	for name, value := range st.header {
		req.Header.Set(name, value)
	}
	w.log.reset()
	r := a.client.send(req)
	r.what = fmt.Sprintf("%s %s?%.60s as %s, %s, %v: %.300q", method, path, st.query, as, st.media, st.header, st.body)
	w.sent++
	w.statuses[r.status]++
	if r.status >= http.StatusInternalServerError {
		w.Errorf("%s: %d: %s\n%s", r.what, r.status, r.body, w.log)
	}
	if r.status >= http.StatusBadRequest {
		r.problem()
	} else {
		w.allowed(method, route, op, r, st)
	}
	w.settle(method, route, as, r.status)
}

// variable is one in the router's path; the description writes it in braces.
var variable = regexp.MustCompile(`:(\w+)`)

// allowed fails where something was taken that the description forbids.
func (w *walk) allowed(method, route string, op *openapi3.Operation, r *reply, st step) {
	w.Helper()
	media, schema := requestSchema(op)
	if schema == nil || media == "application/x-ndjson" || media == "application/x-www-form-urlencoded" {
		return
	}
	path := variable.ReplaceAllString(route, "{$1}")
	if err := fits([]byte(st.body), "paths", path, strings.ToLower(method), "requestBody", "content", media, "schema"); err != nil {
		w.Errorf("%s: %d, and the description forbids it: %v", r.what, r.status, err)
	}
}

// settle lets those go whom a request has changed, so that the next one finds everything in its place again.
func (w *walk) settle(method, route string, as who, status int) {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusLocked:
		delete(w.people, as) // too many wrong passwords, say
	case method == http.MethodGet, status >= http.StatusBadRequest:
	default:
		if w.dismiss(route); method == http.MethodDelete {
			delete(w.people, as)
		}
		if strings.Contains(route, ":username") || strings.Contains(route, ":name") {
			w.renew()
		}
	}
}
