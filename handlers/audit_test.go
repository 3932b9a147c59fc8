package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"belfry/models"
)

// TestAudit: an admin reads who did what, from where, page by page and as a whole.
//
// Security: S36
func TestAudit(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		s.addUser("anna", models.RoleUser)
		root, anna := s.login("root"), s.login("anna")
		anna.post("/api/v1/session/lock", nil).want(200)
		anna.post("/api/v1/session/unlock", map[string]any{"password": "wrong"}).want(401)
		root.post("/api/v1/users/anna/sessions/lock", nil).want(200)
		root.do("DELETE", "/api/v1/users/anna/sessions", nil).want(204)

		actions := func(query string) []string {
			var list []string
			for _, r := range root.get("/api/v1/audit?" + query).want(200).items() {
				actor := r["actor"].(map[string]any)
				list = append(list, fmt.Sprint(actor["name"], " ", r["action"], " ", r["user"]))
			}
			return list
		}
		for query, want := range map[string]string{
			"user=Anna&action=session.":            "root session.ended anna, anna session.locked anna, anna session.started anna",
			"action=session.started":               "anna session.started anna, root session.started root",
			"actor=ROOT&user=anna":                 "root session.ended anna",
			"user=anna&action=unlock.failed":       "anna unlock.failed anna",
			"user=anna&until=2001-01-01T00:00:00Z": "",
			"since=2001-01-01T00:00:00Z&limit=1":   "root session.ended anna",
			"action=session.s":                     "",
			"session=0000000000000000":             "",
		} {
			if got := strings.Join(actions(query), ", "); got != want {
				s.Errorf("%s: %s, want %s", query, got, want)
			}
		}
		first := root.get("/api/v1/audit?user=anna&limit=1").want(200).items()[0]
		if got := actions("session=" + url.QueryEscape(first["session"].(string))); len(got) != 4 {
			s.Errorf("of her session: %v", got)
		}
		if first["ip"] != "127.0.0.1" || first["session"] == anna.id || first["detail"].(map[string]any)["reason"] != "admin" {
			s.Errorf("the record is %v", first)
		}

	})
}

// TestAuditPages: the pages together are what the export is.
func TestAuditPages(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		for range 2 {
			s.login("root").post("/api/v1/logout", nil).want(204)
		}
		var paged []string
		next := ""
		for {
			page := root.get("/api/v1/audit?limit=2&before=" + next).want(200)
			for _, r := range page.items() {
				paged = append(paged, fmt.Sprint(r["id"]))
			}
			if page.at("next_before") == nil {
				break
			}
			next = page.text("next_before")
		}
		var exported []string
		export := root.get("/api/v1/audit/export").want(200)
		for _, line := range strings.Split(strings.TrimSpace(string(export.body)), "\n") {
			var r map[string]any
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				s.Fatal(err)
			}
			exported = append(exported, fmt.Sprint(r["id"]))
		}
		if all := fmt.Sprint(paged); all != fmt.Sprint(exported) || len(paged) != 5 {
			s.Errorf("by pages %s, exported %v", all, exported)
		}
		if !strings.Contains(export.header.Get("Content-Disposition"), ".ndjson") {
			s.Errorf("the export is %v", export.header)
		}
		for _, bad := range []string{"limit=0", "limit=201", "before=x", "since=yesterday", "action=%3Bdrop", "session=" + strings.Repeat("a", 17)} {
			root.get("/api/v1/audit?" + bad).want(422)
		}
	})
}

// TestAuditExportIsWhole: also where it is longer than what is read at once.
func TestAuditExportIsWhole(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		const many = 1203
		for range many {
			s.exec("INSERT INTO audit (at, action, actor_type, actor_name, actor_session, username, session, key_name, ip, user_agent, detail) VALUES (1, 'session.locked', 'system', '', '', 'bulk', '', '', '', '', '{}')")
		}
		body := string(root.get("/api/v1/audit/export?user=bulk").want(200).body)
		if n := strings.Count(body, "\n"); n != many {
			s.Errorf("%d lines of %d", n, many)
		}
	})
}
