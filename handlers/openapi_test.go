package handlers_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// described is what the server says of its API. It is the same of every site but for the cookie's name.
var described struct {
	once sync.Once
	api  *openapi3.T
	err  error
	seen sync.Map // answers that were looked at; most refusals are alike
}

// conforms holds an answer against the API's description: its status has to be named there, and its body
// has to be as it says.
func (s *site) conforms(req *http.Request, r *reply) {
	s.Helper()
	described.once.Do(func() {
		resp, err := s.http.Get(s.url + "/api/openapi.json")
		if err != nil {
			described.err = err
			return
		}
		defer resp.Body.Close()
		described.api, described.err = openapi3.NewLoader().LoadFromIoReader(resp.Body)
	})
	if described.err != nil {
		s.Fatal(described.err)
	}
	op := operation(req)
	if op == nil {
		return
	}
	answer := op.Responses.Value(strconv.Itoa(r.status))
	if answer == nil {
		s.Errorf("%s: the description knows no %d", r.what, r.status)
		return
	}
	media, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	content := answer.Value.Content.Get(media)
	if content == nil {
		if len(r.body) > 0 {
			s.Errorf("%s: the description knows no %s for %d", r.what, media, r.status)
		}
		return
	}
	parts := [][]byte{r.body}
	if media == "application/x-ndjson" {
		parts = bytes.Split(bytes.TrimSpace(r.body), []byte("\n"))
	}
	for _, part := range parts {
		var body any
		if err := json.Unmarshal(part, &body); err != nil {
			s.Errorf("%s: %v", r.what, err)
			return
		}
		if _, again := described.seen.LoadOrStore(op.OperationID+media+string(part), true); again {
			continue
		}
		if err := content.Schema.Value.VisitJSON(body, openapi3.VisitAsResponse(), openapi3.MultiErrors(), openapi3.EnableJSONSchema2020()); err != nil {
			s.Errorf("%s: %d is not as described: %v", r.what, r.status, err)
		}
	}
}

// operation finds what a request asks for; nil when that is no operation of the description.
func operation(req *http.Request) (op *openapi3.Operation) {
	asked := strings.Split(req.URL.Path, "/")
	fewest := len(asked)
	for path, item := range described.api.Paths.Map() {
		parts := strings.Split(path, "/")
		variables := 0
		for i, part := range parts {
			switch {
			case len(parts) != len(asked):
				variables = fewest
			case strings.HasPrefix(part, "{") && asked[i] != "":
				variables++
			case part != asked[i]:
				variables = fewest
			}
		}
		if found := item.GetOperation(req.Method); found != nil && variables < fewest {
			op, fewest = found, variables // a name of its own goes before a variable
		}
	}
	return op
}

// TestDescription: the document itself is valid, and names every route of the JSON API.
func TestDescription(t *testing.T) {
	t.Parallel()
	s := newSite(t, sqliteAddress(t), nil)
	r := s.nobody().get("/api/openapi.json").want(200)
	if got := r.text("openapi"); !strings.HasPrefix(got, "3.1") {
		t.Errorf("openapi %s", got)
	}
	api, err := openapi3.NewLoader().LoadFromData(r.body)
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	described := map[string]bool{}
	for path, item := range api.Paths.Map() {
		for method := range item.Operations() {
			described[method+" "+strings.NewReplacer("{", ":", "}", "").Replace(path)] = true
		}
	}
	for _, route := range s.engine.Routes() {
		if strings.HasPrefix(route.Path, "/api/v1/") && !described[route.Method+" "+route.Path] {
			t.Errorf("%s %s is not described", route.Method, route.Path)
		}
	}
}
