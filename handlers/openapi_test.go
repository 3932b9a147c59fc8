package handlers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// described is what the server says of its API. It is the same of every site but for the cookie's name.
var described struct {
	once sync.Once
	api  *openapi3.T
	err  error
	seen sync.Map // answers that were looked at; most refusals are alike

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by place; to make one takes far longer than to use it
}

// descriptionURL names the document to those who refer to a part of it.
const descriptionURL = "https://belfry.example/openapi.json"

// describe reads the description once.
func (s *site) describe() {
	s.Helper()
	described.once.Do(func() { described.err = s.readDescription() })
	if described.err != nil {
		s.Fatal(described.err)
	}
}

func (s *site) readDescription() error {
	resp, err := s.http.Get(s.url + "/api/openapi.json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if described.api, err = openapi3.NewLoader().LoadFromData(text); err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.RegisterFormat(&jsonschema.Format{Name: "int32", Validate: func(value any) error {
		if n, isNumber := value.(json.Number); isNumber {
			if i, err := n.Int64(); err != nil || i < math.MinInt32 || i > math.MaxInt32 {
				return fmt.Errorf("%v is no int32", n)
			}
		}
		return nil
	}})
	compiler.RegisterFormat(&jsonschema.Format{Name: "int64", Validate: func(value any) error {
		if n, isNumber := value.(json.Number); isNumber {
			if _, err := n.Int64(); err != nil {
				return fmt.Errorf("%v is no int64", n)
			}
		}
		return nil
	}})
	described.compiler, described.schemas = compiler, map[string]*jsonschema.Schema{}
	return compiler.AddResource(descriptionURL, document)
}

// fits holds a text of JSON against the schema at a place of the description (RFC 6901, in steps).
func fits(text []byte, place ...string) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	schema, err := schemaAt(place)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func schemaAt(place []string) (*jsonschema.Schema, error) {
	var at strings.Builder
	at.WriteString(descriptionURL + "#")
	for _, step := range place {
		at.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(step)))
	}
	described.mu.Lock()
	defer described.mu.Unlock()
	if known := described.schemas[at.String()]; known != nil {
		return known, nil
	}
	schema, err := described.compiler.Compile(at.String())
	described.schemas[at.String()] = schema
	return schema, err
}

// conforms holds an answer against the API's description: its status has to be named there, and its body
// has to be as it says.
func (s *site) conforms(req *http.Request, r *reply) {
	s.Helper()
	s.describe()
	path, op := operation(req)
	if op == nil {
		return
	}
	status := strconv.Itoa(r.status)
	answer := op.Responses.Value(status)
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
	if media == "text/plain" { // any text is one
		return
	}
	parts := [][]byte{r.body}
	if media == "application/x-ndjson" {
		parts = slices.Collect(bytes.Lines(r.body))
	}
	for _, part := range parts {
		if _, again := described.seen.LoadOrStore(op.OperationID+status+media+string(part), true); again {
			continue
		}
		if err := fits(part, "paths", path, strings.ToLower(req.Method), "responses", status, "content", media, "schema"); err != nil {
			s.Errorf("%s: %d is not as described: %v", r.what, r.status, err)
		}
	}
}

// operation finds what a request asks for; nil when that is no operation of the description.
func operation(req *http.Request) (path string, op *openapi3.Operation) {
	asked := strings.Split(req.URL.Path, "/")
	fewest := len(asked)
	for candidate, item := range described.api.Paths.Map() {
		parts := strings.Split(candidate, "/")
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
			path, op, fewest = candidate, found, variables // a name of its own goes before a variable
		}
	}
	return path, op
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
		for method, op := range item.Operations() {
			if op.Summary == "" || len(op.Tags) != 1 || api.Tags.Get(op.Tags[0]) == nil {
				t.Errorf("%s %s has no words in operations.go", method, path)
			}
			described[method+" "+strings.NewReplacer("{", ":", "}", "").Replace(path)] = true
		}
	}
	for _, route := range s.engine.Routes() {
		if strings.HasPrefix(route.Path, "/api/v1/") && !described[route.Method+" "+route.Path] {
			t.Errorf("%s %s is not described", route.Method, route.Path)
		}
	}
}
