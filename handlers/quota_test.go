package handlers_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"belfry/models"
	"belfry/services"
)

// quota is what an answer says of a limit: how much, what is left, and the minutes to come, begun ones too, until all is there
// again and until the next try.
func (r *reply) quota() string {
	r.Helper()
	minutes := func(name string) string {
		text := r.header.Get(name)
		if text == "" {
			return ""
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			r.Errorf("%s: %s %s", r.what, name, text)
		}
		return strconv.Itoa((n + 59) / 60)
	}
	return strings.Join([]string{r.header.Get("RateLimit-Limit"), r.header.Get("RateLimit-Remaining"), minutes("RateLimit-Reset"), minutes("Retry-After")}, " ")
}

// TestKeyRate: a key with a limit is told how much is left, and refused beyond it; a batch counts its lines, and the peers'
// routes count too.
func TestKeyRate(t *testing.T) {
	onEach(t, withPeers, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		made := root.post("/api/v1/keys", map[string]any{"name": "ci", "scopes": []string{"notices:write"}, "rate": "5/h", "to": map[string]any{"users": []string{"anna"}}}).want(201)
		if made.text("rate") != "5/h" || fmt.Sprint(made.at("to")) != "map[users:[anna]]" {
			s.Errorf("%s", made.body)
		}
		for _, rate := range []string{"5", "0/m", "5/d", "-1/m", "1000001/s", "5/h/h", "x/m"} {
			root.post("/api/v1/keys", map[string]any{"name": "ci", "scopes": []string{"notices:write"}, "rate": rate}).refused(422, "invalid")
		}
		key, notice := s.bearer(made.text("key")), `{"to":{"users":["anna"]},"title":"x"}`
		if got := key.post("/api/v1/notices", notice).want(201).quota(); got != "5 4 12 " {
			s.Errorf("the first: %s", got)
		}
		key.batch(notice, notice, notice, notice, notice, notice).refused(413, "too_large")
		if r := key.batch(notice, notice, notice, notice, notice); r.quota() != "5 4 12 12" {
			s.Errorf("too many lines: %s", r.quota())
		} else {
			r.refused(429, "rate_limited")
		}
		if r := key.batch(notice, `{"title":"to nobody"}`, "no notice"); r.quota() != "5 1 48 " {
			s.Errorf("three lines: %s", r.quota())
		}
		if got := key.post("/message", `{"message":"x"}`).want(200).quota(); got != "5 0 60 " {
			s.Errorf("Gotify: %s", got)
		}
		refused := key.post("/message", `{"message":"x"}`)
		refused.refusedAs(429, "errorCode", 429)
		if refused.quota() != "5 0 60 12" {
			s.Errorf("Gotify beyond it: %s", refused.quota())
		}
		if r := key.post("/api/v1/notices", notice); r.quota() != "5 0 60 12" {
			s.Errorf("beyond it: %s", r.quota())
		} else {
			r.refused(429, "rate_limited")
		}
		// Nobody looks at the body of one that has nothing left.
		if r := key.post("/api/v1/notices", "no notice"); r.quota() != "5 0 60 12" {
			s.Errorf("nonsense beyond it: %s", r.quota())
		} else {
			r.refused(429, "rate_limited")
		}
		key.batch("no notice").refused(429, "rate_limited")
		s.measures(map[string]float64{`belfry_throttled_total{limit="key"}`: 5})
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 3 {
			s.Errorf("%d notices", n)
		}
		free := s.bearer(s.addKey(models.ScopeNoticesWrite))
		if got := free.post("/api/v1/notices", notice).want(201).quota(); got != "   " {
			s.Errorf("a key without a limit: %s", got)
		}
		_, other, err := s.server.Keys.Create(s.Context(), services.KeySpec{Name: "other", Scopes: []models.Scope{models.ScopeNoticesWrite}, Rate: "5/h"})
		if err != nil {
			s.Fatal(err)
		}
		s.bearer(other).post("/api/v1/notices", notice).want(201)
	})
}
