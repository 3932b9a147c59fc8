package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"belfry/models"
)

// canary is a value that nobody may repeat.
const canary = "canary7f3ahunter2"

// schema is as much of a JSON schema as is needed to walk it.
type schema struct {
	Ref        string             `json:"$ref"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
}

type description struct {
	Paths map[string]map[string]struct {
		Parameters []struct{ Name, In string }
		Body       struct {
			Content map[string]struct{ Schema *schema }
		} `json:"requestBody"`
	}
	Components struct{ Schemas map[string]*schema }
}

// TestNoEcho puts the canary into every field of every body, every parameter and header. A refusal must
// not repeat it, and the log must never hold it.
//
// Security: S15, S34
func TestNoEcho(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		s.addUser("bob", models.RoleUser)
		var api description
		if err := json.Unmarshal(s.nobody().get("/api/openapi.json").want(200).body, &api); err != nil {
			s.Fatal(err)
		}
		c, fields := s.login("anna"), 0
		for path, operations := range api.Paths {
			for method, op := range operations {
				if strings.Contains(path, "logout") || strings.HasSuffix(path, "/session/lock") {
					continue
				}
				method = strings.ToUpper(method)
				at := strings.NewReplacer("{id}", "1", "{username}", "bob", "{name}", "team").Replace(path)
				for _, media := range op.Body.Content {
					for _, place := range api.places(media.Schema, nil) {
						fields++
						for _, value := range []any{canary, strings.Repeat(canary, 2000), []any{canary}, map[string]any{canary: canary}, map[string]any{"x": canary}} {
							s.silent(c.do(method, at, nest(place, value)), place)
						}
					}
					s.silent(c.do(method, at, canary), nil)
					s.silent(c.do(method, at, `{"`+canary+`":`), nil)
				}
				for _, p := range op.Parameters {
					fields++
					switch p.In {
					case "query":
						s.silent(c.do(method, at+"?"+p.Name+"="+canary+"%00", nil), nil)
						s.silent(c.do(method, at+"?"+p.Name+"="+strings.Repeat(canary, 20), nil), nil)
					case "path":
						s.silent(c.do(method, strings.ReplaceAll(path, "{"+p.Name+"}", canary), map[string]any{}), nil)
					case "header":
						s.silent(c.with(p.Name, strings.Repeat(canary, 20)).do(method, at, map[string]any{}), nil)
					}
				}
			}
		}
		c.get("/api/v1/session").want(200) // all of it was asked by somebody who may
		if fields < 40 {
			s.Errorf("only %d fields were found", fields)
		}
		for _, r := range []*reply{
			c.with("Authorization", "Bearer "+canary).get("/api/v1/session"), c.withCookie(canary).get("/api/v1/session"), c.get("/sse/stream?token=" + canary),
			c.get("/sse/stream?event=" + canary), c.get("/sse/clock?every=" + canary), c.get("/api/v1/session?access_token=" + canary), c.with("Origin", "https://"+canary).get("/api/v1/session"),
			c.with("Content-Type", canary).post("/api/v1/session/unlock", "{}"), c.do(canary, "/api/v1/session", nil),
		} {
			s.silent(r, nil)
		}
		for _, line := range strings.Split(s.log.String(), "\n") {
			// The path and the method are what a log is for.
			if strings.Contains(line, canary) && !strings.Contains(line, "path=/api/v1/") {
				s.Errorf("the log has it: %s", line)
			}
		}
	})
}

// silent fails when a refusal repeats the canary. The name of an unknown recipient or group, and that of a
// field that is none, are no values.
func (s *site) silent(r *reply, place []string) {
	s.Helper()
	if r.status < http.StatusBadRequest {
		return
	}
	p := r.problem()
	recipient := len(place) > 0 && (place[0] == "groups" || len(place) > 1 && place[0] == "to")
	list, _ := p["errors"].([]any)
	for _, e := range list {
		if fault := e.(map[string]any); recipient || strings.HasSuffix(fault["field"].(string), canary) {
			fault["field"], fault["detail"] = "", strings.TrimPrefix(fault["detail"].(string), canary)
			if recipient {
				fault["detail"] = ""
			}
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		s.Fatal(err)
	}
	if strings.Contains(string(text), canary) {
		s.Errorf("%s: %q: the answer repeats what was sent: %s", r.what, place, text)
	}
	for name, values := range r.header {
		if strings.Contains(strings.Join(values, " "), canary) {
			s.Errorf("%s: the header %s repeats what was sent", r.what, name)
		}
	}
}

// places lists every member of a body, as paths.
func (d *description) places(of *schema, under []string) (all [][]string) {
	if of == nil {
		return nil
	}
	if name, found := strings.CutPrefix(of.Ref, "#/components/schemas/"); found {
		of = d.Components.Schemas[name]
	}
	if of.Items != nil {
		return append(all, d.places(of.Items, append(under, "[]"))...)
	}
	for name, member := range of.Properties {
		path := append(append([]string{}, under...), name)
		all = append(append(all, path), d.places(member, path)...)
	}
	return all
}

// nest builds the body that has the value at the place and nothing else.
func nest(place []string, value any) any {
	if len(place) == 0 {
		return value
	}
	if place[0] == "[]" {
		return []any{nest(place[1:], value)}
	}
	return map[string]any{place[0]: nest(place[1:], value)}
}
