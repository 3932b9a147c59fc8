package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"belfry/models"
)

const preferencesPath = "/api/v1/preferences"

// TestPreferences: what was chosen comes back, what is left out is the default again, and each person has their own.
func TestPreferences(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		anna, bob := s.login("anna"), s.login("bob")
		defaults := map[string]any{"muted": []any{}, "quiet_hours": nil, "popups": true, "sound": false, "locale": nil, "theme": "system", "density": "comfortable"}
		same := func(what string, r *reply, want map[string]any) {
			s.Helper()
			if got := r.want(200).object(); fmt.Sprint(got) != fmt.Sprint(want) {
				s.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		same("nothing chosen", anna.get(preferencesPath), defaults)
		chosen := map[string]any{"muted": []any{"billing", "日报"}, "popups": false, "sound": true, "locale": "zh-CN", "theme": "contrast", "density": "compact",
			"quiet_hours": map[string]any{"from": "22:00", "to": "07:00", "time_zone": "Asia/Shanghai", "days": []any{"mon", "sun"}}}
		same("saved", anna.do(http.MethodPut, preferencesPath, chosen), chosen)
		same("read back", anna.get(preferencesPath), chosen)
		same("another's", bob.get(preferencesPath), defaults)
		if got := anna.get("/api/v1/session").want(200).text("user", "locale"); got != "zh-CN" {
			s.Errorf("the session's locale is %q", got)
		}
		same("left out", anna.do(http.MethodPut, preferencesPath, map[string]any{}), defaults)
		same("left out, read back", anna.get(preferencesPath), defaults)
		same("null", anna.do(http.MethodPut, preferencesPath, map[string]any{"quiet_hours": nil, "locale": nil, "theme": "dark"}), merged(defaults, "theme", "dark"))
		if got := anna.get("/api/v1/session").want(200).text("user", "locale"); got != "" {
			s.Errorf("the session's locale is %q, want none", got)
		}
	})
}

// merged is a copy with one member changed.
func merged(object map[string]any, name string, value any) map[string]any {
	all := map[string]any{name: value}
	for k, v := range object {
		if k != name {
			all[k] = v
		}
	}
	return all
}

// TestPreferencesRefused names the field, never what stood in it, and changes nothing.
func TestPreferencesRefused(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		c.do(http.MethodPut, preferencesPath, map[string]any{"theme": "dark"}).want(200)
		night := map[string]any{"from": "22:00", "to": "07:00", "time_zone": "Europe/Berlin", "days": []string{"mon"}}
		for field, bodies := range map[string][]map[string]any{
			"muted":                 {{"muted": make([]string, 101)}, {"muted": "all"}},
			"muted[0]":              {{"muted": []string{""}}, {"muted": []string{strings.Repeat("Zebra", 13)}}, {"muted": []any{7}}},
			"popups":                {{"popups": "Zebra"}},
			"locale":                {{"locale": "Zebra"}},
			"theme":                 {{"theme": "Zebra"}},
			"density":               {{"density": "Zebra"}},
			"quiet_hours":           {{"quiet_hours": "Zebra"}},
			"quiet_hours.from":      {{"quiet_hours": merged(night, "from", "24:00")}, {"quiet_hours": merged(night, "from", "Zebra")}},
			"quiet_hours.to":        {{"quiet_hours": merged(night, "to", "7:00")}},
			"quiet_hours.time_zone": {{"quiet_hours": merged(night, "time_zone", "Zebra/Zebra")}, {"quiet_hours": merged(night, "time_zone", "Local")}, {"quiet_hours": merged(night, "time_zone", "")}},
			"quiet_hours.days":      {{"quiet_hours": merged(night, "days", []string{})}, {"quiet_hours": merged(night, "days", nil)}},
			"quiet_hours.days[1]":   {{"quiet_hours": merged(night, "days", []string{"mon", "mon"})}, {"quiet_hours": merged(night, "days", []string{"mon", "Zebra"})}},
			"zebra":                 {{"zebra": "Zebra"}},
		} {
			for _, body := range bodies {
				r := c.do(http.MethodPut, preferencesPath, body).refused(422, "invalid")
				if got := strings.Join(r.fields(), " "); !strings.HasPrefix(got, field) {
					s.Errorf("%v: fields %q, want %s", body, got, field)
				}
				if strings.Contains(string(r.body), "Zebra") {
					s.Errorf("echoed: %s", r.body)
				}
			}
		}
		if got := c.get(preferencesPath).want(200).text("theme"); got != "dark" {
			s.Errorf("a refusal left the theme %s", got)
		}
	})
}

// TestProfile: one's own name, at once in what is kept of the session.
func TestProfile(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		r := c.do(http.MethodPatch, "/api/v1/profile", map[string]any{"display_name": "Änna 🔔"}).want(200)
		if r.text("display_name") != "Änna 🔔" || r.text("username") != "anna" || r.text("role") != "user" || len(r.object()) != 4 {
			s.Errorf("%s", r.body)
		}
		if got := c.get("/api/v1/session").want(200).text("user", "display_name"); got != "Änna 🔔" {
			s.Errorf("the session shows %q", got)
		}
		c.do(http.MethodPatch, "/api/v1/profile", map[string]any{"display_name": strings.Repeat("é", 100)}).want(200)
		for _, body := range []map[string]any{{}, {"display_name": ""}, {"display_name": " \t"}, {"display_name": strings.Repeat("é", 101)}, {"display_name": nil},
			{"display_name": "x", "role": "admin"}, {"display_name": "x", "username": "root"}} {
			c.do(http.MethodPatch, "/api/v1/profile", body).refused(422, "invalid")
		}
		if got := s.number("SELECT count(*) FROM users WHERE role = 'admin'"); got != 0 {
			s.Error("somebody made themselves an admin")
		}
	})
}
