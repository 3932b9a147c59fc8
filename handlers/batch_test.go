package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"belfry/models"
)

// batch sends lines as NDJSON.
func (c *client) batch(lines ...string) *reply {
	c.Helper()
	return c.post("/api/v1/notices/batch", strings.Join(lines, "\n")+"\n")
}

// answers gives "status id" or "status code" of each line.
func (r *reply) answers() (told []string) {
	r.Helper()
	if got := r.want(200).header.Get("Content-Type"); got != "application/x-ndjson" {
		r.Errorf("Content-Type %q", got)
	}
	for line := range strings.Lines(string(r.body)) {
		var a struct {
			Status       int
			ID           int64
			Cursor, Code string
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			r.Fatalf("%v: %q", err, line)
		}
		if (a.Status == 201) != (a.Cursor != "") {
			r.Errorf("%q", line)
		}
		if a.Code == "" {
			a.Code = fmt.Sprint(a.ID)
		}
		told = append(told, fmt.Sprint(a.Status, " ", a.Code))
	}
	return told
}

func TestBatch(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c, key := s.login("anna"), s.bearer(s.addKey(models.ScopeNoticesWrite))
		told := key.batch(
			`{"to":{"users":["anna"]},"title":"one"}`,
			``,
			`{"to":{"users":["nobody"]},"title":"two"}`,
			`{"to":{"users":["anna"]},"title":"three","idempotency_key":"k"}`+"\r",
			`{"to":{"users":["anna"]},"titel":"x"}`,
			`not JSON`,
			`{"to":{"users":["anna"]},"title":"\u0000"}`,
			`{"to":{"users":["anna"]},"title":"three","idempotency_key":"k"}`,
			`{"to":{"users":["anna"]},"title":"other","idempotency_key":"k"}`,
			`{"to":{"everyone":true},"title":"last"}`,
		).answers()
		want := []string{"201 1", "422 invalid", "201 2", "422 invalid", "400 invalid", "422 invalid", "201 2", "422 idempotency_mismatch", "201 3"}
		if fmt.Sprint(told) != fmt.Sprint(want) {
			s.Errorf("%q\nwant %q", told, want)
		}
		var titles []string
		for _, item := range c.get("/api/v1/notices").want(200).items() {
			titles = append(titles, item["title"].(string))
		}
		if fmt.Sprint(titles) != "[last three one]" {
			s.Errorf("the inbox holds %v", titles)
		}
		if told := c.batch(`{"to":{"everyone":true},"title":"x"}`, `{"to":{"users":["anna"]},"title":"x"}`).answers(); fmt.Sprint(told) != "[403 forbidden 201 4]" {
			s.Errorf("a plain user: %v", told)
		}
	})
}

func TestBatchLimits(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		key := s.bearer(s.addKey(models.ScopeNoticesWrite))
		line := `{"to":{"users":["anna"]},"title":"x"}`
		many := make([]string, 1001)
		for i := range many {
			many[i] = line
		}
		key.batch(many...).refused(413, "too_large")
		key.batch(strings.Repeat(" ", 16<<20)).refused(413, "too_large")
		key.batch().refused(422, "invalid")
		key.with("Content-Type", "application/json").batch(line).refused(415, "unsupported_media_type")
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 0 {
			s.Errorf("%d notices were kept", n)
		}
		if told := key.batch(many[:1000]...).answers(); len(told) != 1000 || told[0] != "201 1" || told[999] != "201 1000" {
			s.Errorf("%d answers, from %s to %s", len(told), told[0], told[len(told)-1])
		}
	})
}

// TestBatchOnce repeats a request under a key of the whole.
func TestBatchOnce(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		key := s.bearer(s.addKey(models.ScopeNoticesWrite)).with("Idempotency-Key", "whole")
		one, two := `{"to":{"users":["anna"]},"title":"one"}`, `{"to":{"users":["anna"]},"title":"two"}`
		first, again := key.batch(one, one, two), key.batch(one, one, two)
		if string(first.want(200).body) != string(again.want(200).body) || first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%s then %s", first.body, again.body)
		}
		key.batch(two, one, two, one).refused(422, "idempotency_mismatch")
		s.bearer(s.addKey(models.ScopeNoticesWrite)).with("Idempotency-Key", "whole").batch("no notice").want(200) // it is another's
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 3 {
			s.Errorf("%d notices, want 3", n)
		}
	})
}

// TestBatchOnceAnotherBody: another body under the key of the whole is refused as a whole, whichever lines of the first were kept.
func TestBatchOnceAnotherBody(t *testing.T) {
	one, two, wrong := `{"to":{"users":["anna"]},"title":"one"}`, `{"to":{"users":["anna"]},"title":"two"}`, `{"to":{"users":["anna"]},"title":""}`
	own := `{"to":{"users":["anna"]},"title":"own","idempotency_key":"own"}`
	for name, first := range map[string][]string{"the first was refused": {wrong, one}, "the first has a key of its own": {own, one}} {
		t.Run(name, func(t *testing.T) {
			onEach(t, nil, func(s *site) {
				s.addUser("anna", models.RoleUser)
				key := s.bearer(s.addKey(models.ScopeNoticesWrite)).with("Idempotency-Key", "whole")
				key.batch(first...).want(200)
				before := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'")
				key.batch(two, two, two).refused(422, "idempotency_mismatch")
				if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != before {
					s.Errorf("%d notices, want %d", n, before)
				}
				key.batch(first...).want(200)
			})
		})
	}
}
