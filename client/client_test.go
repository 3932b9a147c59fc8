package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// call is what the server saw of one request.
type call struct {
	method, path, query, authorization, contentType, idempotency, body string
}

// serve starts a server that answers the nth request by answers[n], the last one again and again, and a
// client for it that hardly waits.
func serve(t *testing.T, answers ...http.HandlerFunc) (*Client, func() []call) {
	t.Helper()
	seen := make(chan call, 100)
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- call{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key"), string(body)}
		answers[min(int(n.Add(1)), len(answers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", "bfk_test")
	if err != nil {
		t.Fatal(err)
	}
	c.backoff = time.Microsecond
	return c, func() []call {
		calls := []call{}
		for len(seen) > 0 {
			calls = append(calls, <-seen)
		}
		return calls
	}
}

func answer(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func ok(status int, body string) http.HandlerFunc { return answer(status, "application/json", body) }

func refuse(status int, body string, header ...string) http.HandlerFunc {
	return answer(status, "application/problem+json; charset=utf-8", body, header...)
}

// cut ends the connection in the middle of the answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"id": 1`)
	panic(http.ErrAbortHandler)
}

func TestNewRefusesWhatCannotBeCalled(t *testing.T) {
	for _, base := range []string{"", "localhost:8080", "ftp://h", "https://", "http://h?x=1", "http://h#f", "http://[::1"} {
		if _, err := New(base, "k"); err == nil {
			t.Errorf("%q was taken", base)
		}
	}
	if _, err := New("http://h", ""); err == nil {
		t.Error("an empty key was taken")
	}
}

func TestPublish(t *testing.T) {
	c, calls := serve(t, ok(201, `{"id": 7, "cursor": "e1-42"}`))
	got, err := c.Publish(context.Background(), Notice{
		To: To{Users: []string{"anna"}, Groups: []string{"ops"}}, Title: "Hello", Data: json.RawMessage(`{"n":1}`), IdempotencyKey: "k1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if *got != (Published{7, "e1-42"}) {
		t.Errorf("got %+v", got)
	}
	want := []call{{
		"POST", "/api/v1/notices", "", "Bearer bfk_test", "application/json", "k1",
		`{"to":{"users":["anna"],"groups":["ops"]},"title":"Hello","data":{"n":1}}`,
	}}
	if got := calls(); !reflect.DeepEqual(got, want) {
		t.Errorf("sent %+v", got)
	}
}

func TestPublishScheduled(t *testing.T) {
	c, _ := serve(t, ok(201, `{"id": 8, "cursor": null}`))
	if got, err := c.Publish(context.Background(), Notice{Title: "Later"}); err != nil || *got != (Published{ID: 8}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPublishTriesAgain(t *testing.T) {
	good := ok(201, `{"id": 1, "cursor": "e-1"}`)
	tests := map[string]struct {
		first []http.HandlerFunc
		tries int
		fails bool
	}{
		"busy, away, gateway": {[]http.HandlerFunc{refuse(429, `{}`), refuse(503, `{}`, "Retry-After", "0"), answer(502, "text/html", "<h1>"), ok(504, ``), good}, 5, false},
		"answer lost":         {[]http.HandlerFunc{cut, good}, 2, false},
		"connection lost":     {[]http.HandlerFunc{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, good}, 2, false},
		"never":               {[]http.HandlerFunc{refuse(503, `{}`)}, 6, true},
		"refused":             {[]http.HandlerFunc{refuse(422, `{}`), good}, 1, true},
		"fault":               {[]http.HandlerFunc{refuse(500, `{}`), good}, 1, true},
		"not Belfry":          {[]http.HandlerFunc{answer(200, "text/html", "<h1>"), good}, 1, true},
	}
	for name, tt := range tests {
		c, calls := serve(t, tt.first...)
		_, err := c.Publish(context.Background(), Notice{Title: "T"})
		if (err != nil) != tt.fails {
			t.Errorf("%s: %v", name, err)
		}
		seen := calls()
		keys := map[string]bool{}
		for _, s := range seen {
			keys[s.idempotency] = true
		}
		if len(seen) != tt.tries || len(keys) != 1 || keys[""] {
			t.Errorf("%s: %d tries under the keys %v, want %d under one", name, len(seen), keys, tt.tries)
		}
	}
}

func TestPublishTriesAsOftenAsItMay(t *testing.T) {
	for allowed, want := range map[int]int{-1: 1, 0: 1, 1: 1, 3: 3} {
		c, calls := serve(t, refuse(503, `{}`))
		WithAttempts(allowed)(c)
		if _, err := c.Publish(context.Background(), Notice{Title: "T"}); err == nil {
			t.Error("published")
		}
		if tries := len(calls()); tries != want {
			t.Errorf("%d attempts: %d tries, want %d", allowed, tries, want)
		}
	}
}

func TestPublishGivesUpWithItsContext(t *testing.T) {
	c, calls := serve(t, refuse(503, `{"code": "unavailable"}`, "Retry-After", "3600"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	_, err := c.Publish(ctx, Notice{Title: "T"})
	if waited := time.Since(began); waited > 30*time.Second {
		t.Errorf("waited %v for nothing", waited)
	}
	if p, ok := errors.AsType[*Problem](err); !ok || p.Code != "unavailable" || p.RetryAfter != time.Hour || len(calls()) != 1 {
		t.Errorf("an hour's wait was begun with a minute left, or the reason was lost: %v", err)
	}

	ctx, cancel = context.WithCancel(context.Background())
	c, calls = serve(t, func(w http.ResponseWriter, r *http.Request) {
		refuse(503, `{}`, "Retry-After", "3600")(w, r)
		cancel()
	})
	if _, err := c.Publish(ctx, Notice{Title: "T"}); err == nil || len(calls()) != 1 {
		t.Errorf("went on after the end: %v", err)
	}
}

func TestWait(t *testing.T) {
	c := &Client{backoff: time.Second}
	for try := 1; try <= 200; try++ {
		most := maxBackoff
		if try <= 4 {
			most = time.Second << (try - 1)
		}
		for range 50 {
			if got := c.wait(try, io.EOF); got < 0 || got > most {
				t.Errorf("try %d waits %v, more than %v", try, got, most)
			}
			if got := c.wait(try, &Problem{RetryAfter: time.Minute}); got < time.Minute || got > time.Minute+most {
				t.Errorf("try %d waits %v of a minute asked for", try, got)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-7": 0, "soon": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestProblem(t *testing.T) {
	c, _ := serve(t, refuse(422, `{"type":"about:blank","title":"Invalid","status":422,"code":"invalid","detail":"The input is not valid.","errors":[{"field":"title","detail":"too long"},{"field":"to","detail":"nobody"}]}`))
	_, err := c.AddUser(context.Background(), NewUser{Username: "x"})
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Status != 422 || p.Code != "invalid" || !slices.Equal(p.Errors, []FieldError{{"title", "too long"}, {"to", "nobody"}}) {
		t.Fatalf("%#v", err)
	}
	if got := err.Error(); got != "The input is not valid: title: too long; to: nobody" {
		t.Errorf("%q", got)
	}

	for want, handler := range map[string]http.HandlerFunc{
		"the server answered 502 bad gateway":           answer(502, "text/html", "<script>"),
		"the server answered 500 internal server error": refuse(500, "{not json"),
		"the server answered 301 moved permanently":     answer(301, "text/html", "", "Location", "/elsewhere"),
		"Locked":     refuse(423, `{"title": "Locked"}`),
		"status 418": refuse(418, `{}`),
	} {
		c, calls := serve(t, handler)
		if _, err := c.Users(context.Background()); err == nil || err.Error() != want || len(calls()) != 1 {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCalls(t *testing.T) {
	expires := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	yes, secret := true, "correct horse"
	tests := []struct {
		name string
		do   func(context.Context, *Client) (any, error)
		give http.HandlerFunc
		want any
		sent call
	}{
		{"add user", func(ctx context.Context, c *Client) (any, error) {
			return c.AddUser(ctx, NewUser{Username: "anna", Password: secret, Role: RoleAdmin})
		}, ok(201, `{"username":"anna","display_name":"anna","role":"admin","locale":"","disabled":false,"created_at":"2027-01-01T00:00:00.000Z"}`),
			&User{Username: "anna", DisplayName: "anna", Role: "admin", CreatedAt: expires},
			call{method: "POST", path: "/api/v1/users", body: `{"username":"anna","password":"correct horse","role":"admin"}`}},
		{"change user", func(ctx context.Context, c *Client) (any, error) {
			return c.ChangeUser(ctx, "a/b?", UserChange{Password: &secret, Disabled: &yes})
		}, ok(200, `{"username":"a/b?","disabled":true}`), &User{Username: "a/b?", Disabled: true},
			call{method: "PATCH", path: "/api/v1/users/a%2Fb%3F", body: `{"password":"correct horse","disabled":true}`}},
		{"reset link", func(ctx context.Context, c *Client) (any, error) { return c.ResetLink(ctx, "a/b?") },
			ok(201, `{"url":"https://bell.example/reset#x","expires_at":"2027-01-01T00:00:00.000Z"}`), &ResetLink{URL: "https://bell.example/reset#x", ExpiresAt: expires},
			call{method: "POST", path: "/api/v1/users/a%2Fb%3F/reset-link"}},
		{"add group", func(ctx context.Context, c *Client) (any, error) { return c.AddGroup(ctx, "ops", "") },
			ok(201, `{"name":"ops","display_name":"ops"}`), &Group{Name: "ops", DisplayName: "ops"},
			call{method: "POST", path: "/api/v1/groups", body: `{"name":"ops"}`}},
		{"remove group", func(ctx context.Context, c *Client) (any, error) { return nil, c.RemoveGroup(ctx, "ops") },
			ok(204, ``), nil, call{method: "DELETE", path: "/api/v1/groups/ops"}},
		{"join", func(ctx context.Context, c *Client) (any, error) { return nil, c.JoinGroup(ctx, "ops", "anna") },
			ok(204, ``), nil, call{method: "PUT", path: "/api/v1/groups/ops/members/anna"}},
		{"leave", func(ctx context.Context, c *Client) (any, error) { return nil, c.LeaveGroup(ctx, "ops", "anna") },
			ok(204, ``), nil, call{method: "DELETE", path: "/api/v1/groups/ops/members/anna"}},
		{"create key", func(ctx context.Context, c *Client) (any, error) {
			return c.CreateKey(ctx, NewKey{Name: "ci", Scopes: []string{"notices:write"}, ExpiresAt: &expires})
		}, ok(201, `{"id":3,"name":"ci","scopes":["notices:write"],"expires_at":"2027-01-01T00:00:00.000Z","key":"bfk_new"}`),
			&Key{ID: 3, Name: "ci", Scopes: []string{"notices:write"}, ExpiresAt: &expires, Secret: "bfk_new"},
			call{method: "POST", path: "/api/v1/keys", body: `{"name":"ci","scopes":["notices:write"],"expires_at":"2027-01-01T00:00:00Z"}`}},
		{"revoke key", func(ctx context.Context, c *Client) (any, error) { return nil, c.RevokeKey(ctx, 3) },
			ok(204, ``), nil, call{method: "DELETE", path: "/api/v1/keys/3"}},
	}
	for _, tt := range tests {
		c, calls := serve(t, tt.give)
		got, err := tt.do(context.Background(), c)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v", tt.name, got, err)
		}
		tt.sent.authorization = "Bearer bfk_test"
		if tt.sent.body != "" {
			tt.sent.contentType = "application/json"
		}
		if seen := calls(); !reflect.DeepEqual(seen, []call{tt.sent}) {
			t.Errorf("%s: sent %+v", tt.name, seen)
		}
	}
}

func TestListFollowsThePages(t *testing.T) {
	c, calls := serve(t, ok(200, `{"items":[{"id":3},{"id":2}],"next_before":2}`), ok(200, `{"items":[{"id":1}],"next_before":"a b"}`), ok(200, `{"items":[],"next_before":null}`))
	keys, err := c.Keys(context.Background())
	if err != nil || len(keys) != 3 || keys[0].ID != 3 || keys[2].ID != 1 {
		t.Errorf("%+v, %v", keys, err)
	}
	var queries []string
	for _, s := range calls() {
		queries = append(queries, s.query)
	}
	if !slices.Equal(queries, []string{"", "before=2", "before=a+b"}) {
		t.Errorf("asked for %q", queries)
	}

	c, _ = serve(t, ok(200, `{"items":[{"username":"a"}],"next_before":9}`))
	if _, err := c.Users(context.Background()); err == nil || !strings.Contains(err.Error(), "do not end") {
		t.Errorf("a list without end: %v", err)
	}
}

func TestNamesCannotClimb(t *testing.T) {
	c, calls := serve(t, ok(204, ``))
	for _, name := range []string{"", ".", ".."} {
		if p, ok := errors.AsType[*Problem](c.RemoveGroup(context.Background(), name)); !ok || p.Status != 404 {
			t.Errorf("%q was sent", name)
		}
	}
	if n := len(calls()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
