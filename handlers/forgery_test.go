package handlers_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestForgeries sends every write of the JSON API, with a good cookie, from where another site would have made the
// browser send it: all are refused, and change nothing. From our own page the same request gets further.
//
// Security: S22
func TestForgeries(t *testing.T) {
	sources := map[string]map[string]string{
		"another site":               {"Sec-Fetch-Site": "cross-site"},
		"a sibling":                  {"Sec-Fetch-Site": "same-site"},
		"a sandboxed frame":          {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
		"a null origin alone":        {"Origin": "null"},
		"another origin":             {"Origin": "https://evil.example"},
		"a sibling's origin":         {"Sec-Fetch-Site": "same-site", "Origin": "https://sibling.localhost"},
		"a link's own name":          {"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.evil.example"},
		"an old browser's other one": {"Origin": "http://127.0.0.1:1"},
	}
	onEach(t, nil, func(s *site) {
		cast := s.newCast()
		people := []*client{cast.actor(admin).client, cast.actor(locked).client, s.nobody()}
		before := s.dump()
		written, ours := 0, []func(){}
		for _, route := range s.engine.Routes() {
			if route.Method == http.MethodGet || route.Method == http.MethodHead {
				continue
			}
			written++
			path := strings.NewReplacer(":username", cast.victim, ":name", cast.group, ":id", "1").Replace(route.Path)
			for from, headers := range sources {
				for _, c := range people {
					for name, value := range headers {
						c = c.with(name, value)
					}
					if r := c.do(route.Method, path, table[route.Method+" "+route.Path].body); r.status != http.StatusForbidden || r.problem()["code"] != "forbidden" {
						s.Errorf("%s %s from %s: %d %s", route.Method, route.Path, from, r.status, r.body)
					}
				}
			}
			ours = append(ours, func() {
				if r := s.nobody().with("Sec-Fetch-Site", "same-origin").do(route.Method, path, nil); r.status == http.StatusForbidden {
					s.Errorf("%s %s from our own page: %s", route.Method, route.Path, r.body)
				}
			})
		}
		if written < 20 {
			s.Errorf("only %d routes write", written)
		}
		if after := s.dump(); strings.Join(after, "\n") != strings.Join(before, "\n") {
			s.Errorf("%d rows before, %d after", len(before), len(after))
		}
		for _, ask := range ours { // last, for some of these do change something
			ask()
		}
	})
}
