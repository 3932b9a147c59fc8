package handlers_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// client is one browser or program: a cookie, or other credentials, and nothing remembered by magic.
type client struct {
	*site
	cookie string
	header http.Header
	id     string // of the session, if any
}

func (s *site) nobody() *client { return &client{site: s, header: http.Header{}} }

// login signs a person in.
func (s *site) login(name string) *client {
	s.Helper()
	c := s.nobody()
	r := c.post("/api/v1/login", map[string]any{"username": name, "password": password}).want(http.StatusOK)
	c.take(r)
	c.id = r.text("id")
	return c
}

// bearer is a program with this credential in its Authorization header.
func (s *site) bearer(token string) *client { return s.nobody().with("Authorization", "Bearer "+token) }

// with is the same client with one more header.
func (c *client) with(name, value string) *client {
	other := *c
	other.header = c.header.Clone()
	other.header.Set(name, value)
	return &other
}

// withCookie is the same client with another session cookie.
func (c *client) withCookie(value string) *client {
	other := *c
	other.cookie = value
	return &other
}

// take keeps the cookie that came with an answer.
func (c *client) take(r *reply) {
	c.Helper()
	for _, k := range r.cookies() {
		if k.Name == c.cookieName() {
			c.cookie = k.Value
			return
		}
	}
	c.Fatalf("%s: no cookie came: %v", r.what, r.header)
}

func (s *site) cookieName() string {
	if s.settings.secure {
		return "__Host-belfry"
	}
	return "belfry"
}

// reply is an answer that was read to its end.
type reply struct {
	testing.TB
	what   string
	status int
	header http.Header
	body   []byte
}

// request builds a request. A body that is no string and no []byte is sent as JSON.
func (c *client) request(method, path string, body any) *http.Request {
	c.Helper()
	var content []byte
	switch b := body.(type) {
	case nil:
	case string:
		content = []byte(b)
	case []byte:
		content = b
	default:
		var err error
		if content, err = json.Marshal(b); err != nil {
			c.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(c.Context(), method, c.url+path, bytes.NewReader(content))
	if err != nil {
		c.Fatal(err)
	}
	switch {
	case strings.HasSuffix(path, "/batch"):
		req.Header.Set("Content-Type", "application/x-ndjson")
	case body != nil:
		req.Header.Set("Content-Type", "application/json")
	}
	if c.cookie != "" {
		req.AddCookie(&http.Cookie{Name: c.cookieName(), Value: c.cookie})
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	return req
}

func (c *client) send(req *http.Request) *reply {
	c.Helper()
	resp, err := c.http.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") == "text/event-stream" { // would be read for ever
		c.Fatalf("%s %s: %d and an event stream", req.Method, req.URL.Path, resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	r := &reply{TB: c.TB, what: req.Method + " " + req.URL.Path, status: resp.StatusCode, header: resp.Header, body: body}
	c.conforms(req, r)
	return r
}

func (c *client) do(method, path string, body any) *reply {
	c.Helper()
	return c.send(c.request(method, path, body))
}

func (c *client) get(path string) *reply { c.Helper(); return c.do(http.MethodGet, path, nil) }

func (c *client) post(path string, body any) *reply {
	c.Helper()
	return c.do(http.MethodPost, path, body)
}

// want fails the test unless the answer has this status; a refusal has to be a problem as well.
func (r *reply) want(status int) *reply {
	r.Helper()
	if r.status != status {
		r.Fatalf("%s: %d, want %d: %s", r.what, r.status, status, r.body)
	}
	if status >= http.StatusBadRequest {
		r.problem()
	}
	return r
}

// refused wants a problem with this status and code.
func (r *reply) refused(status int, code string) *reply {
	r.Helper()
	if got := r.want(status).problem()["code"]; got != code {
		r.Fatalf("%s: code %v, want %s", r.what, got, code)
	}
	return r
}

// problem checks everything that is the same of all refusals.
func (r *reply) problem() map[string]any {
	r.Helper()
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.Fatalf("%s: %d with Content-Type %q: %s", r.what, r.status, got, r.body)
	}
	p := r.object()
	for _, member := range []string{"type", "title", "code"} {
		if text, ok := p[member].(string); !ok || text == "" {
			r.Fatalf("%s: a problem without %s: %s", r.what, member, r.body)
		}
	}
	if p["status"] != float64(r.status) {
		r.Fatalf("%s: status %v in the body of a %d", r.what, p["status"], r.status)
	}
	if r.header.Get("Cache-Control") != "no-store" {
		r.Fatalf("%s: a refusal that may be kept: %q", r.what, r.header.Get("Cache-Control"))
	}
	if retry := r.header.Get("Retry-After"); (retry != "") != (r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable) {
		r.Fatalf("%s: %d with Retry-After %q", r.what, r.status, retry)
	}
	return p
}

func (r *reply) object() map[string]any {
	r.Helper()
	var o map[string]any
	if err := json.Unmarshal(r.body, &o); err != nil {
		r.Fatalf("%s: %d: no JSON object: %v: %s", r.what, r.status, err, r.body)
	}
	return o
}

// at walks into the answer: at("user", "username").
func (r *reply) at(path ...string) any {
	r.Helper()
	var v any = r.object()
	for _, name := range path {
		o, ok := v.(map[string]any)
		if !ok {
			r.Fatalf("%s: nothing at %s: %s", r.what, strings.Join(path, "."), r.body)
		}
		if v, ok = o[name]; !ok {
			r.Fatalf("%s: no member %s: %s", r.what, strings.Join(path, "."), r.body)
		}
	}
	return v
}

func (r *reply) text(path ...string) string {
	r.Helper()
	text, ok := r.at(path...).(string)
	if !ok {
		r.Fatalf("%s: %s is no text: %s", r.what, strings.Join(path, "."), r.body)
	}
	return text
}

func (r *reply) int(path ...string) int64 {
	r.Helper()
	n, ok := r.at(path...).(float64)
	if !ok {
		r.Fatalf("%s: %s is no number: %s", r.what, strings.Join(path, "."), r.body)
	}
	return int64(n)
}

// items is the member "items", each an object.
func (r *reply) items() []map[string]any {
	r.Helper()
	list, ok := r.at("items").([]any)
	if !ok {
		r.Fatalf("%s: items is no list: %s", r.what, r.body)
	}
	objects := make([]map[string]any, len(list))
	for i := range list {
		objects[i] = list[i].(map[string]any)
	}
	return objects
}

func (r *reply) cookies() []*http.Cookie { return (&http.Response{Header: r.header}).Cookies() }

// fields are the names of what was refused.
func (r *reply) fields() []string {
	r.Helper()
	list, _ := r.object()["errors"].([]any)
	names := make([]string, len(list))
	for i := range list {
		names[i], _ = list[i].(map[string]any)["field"].(string)
	}
	return names
}
