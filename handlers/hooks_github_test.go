package handlers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"belfry/models"
	"belfry/services"
)

// githubHook is a hook as GitHub has it: an address, and a secret to sign with.
type githubHook struct {
	*site
	path, secret string
}

// githubHook is one whose notices are for a group that anna is in.
func (s *site) githubHook() githubHook {
	s.Helper()
	s.peerKey()
	made, err := s.server.Keys.CreateOnce(s.Context(), s.server.Tokens, services.KeySpec{Name: "github", Scopes: []models.Scope{models.ScopeNoticesWrite},
		To: models.Target{Groups: []string{"alerts"}}, Hook: models.HookGitHub}, services.Repeatable{})
	if err != nil {
		s.Fatal(err)
	}
	return githubHook{s, "/api/v1/hooks/github/" + strconv.FormatInt(made.ID, 10), made.HookSecret}
}

func (h githubHook) signature(body string) string {
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// send delivers an event as GitHub does.
func (h githubHook) send(event string, payload any) *reply {
	h.Helper()
	body, ready := payload.(string)
	if !ready {
		text, err := json.Marshal(payload)
		if err != nil {
			h.Fatal(err)
		}
		body = string(text)
	}
	return h.nobody().with("X-GitHub-Event", event).with("X-GitHub-Delivery", fresh("delivery")).with("X-Hub-Signature-256", h.signature(body)).post(h.path, body)
}

type payload = map[string]any

// github is a payload with what all have in common.
func github(action string, more payload) payload {
	payload := payload{"sender": payload{"login": "mona"}, "repository": payload{"full_name": "acme/shop", "html_url": "https://github.com/acme/shop"}}
	if action != "" {
		payload["action"] = action
	}
	for name, value := range more {
		payload[name] = value
	}
	return payload
}

// TestGitHub: the usual events, as notices. A state that changes is one row.
func TestGitHub(t *testing.T) {
	onEach(t, nil, func(s *site) {
		hook := s.githubHook()
		anna := s.login("anna")
		pull := func(action string, merged bool) payload {
			return github(action, payload{"number": 7, "pull_request": payload{"number": 7, "title": "Faster *search*", "html_url": "https://github.com/acme/shop/pull/7", "merged": merged,
				"head": payload{"ref": "fast"}, "base": payload{"ref": "main"}}})
		}
		issue := github("closed", payload{"issue": payload{"number": 8, "title": "It is slow", "html_url": "https://github.com/acme/shop/issues/8", "state_reason": "completed"}})
		run := func(action string, conclusion any) payload {
			return github(action, payload{"workflow_run": payload{"id": 30433642, "name": "Build", "run_number": 562, "head_branch": "main", "display_title": "Fix it", "conclusion": conclusion, "html_url": "https://github.com/acme/shop/actions/runs/1"}})
		}
		for i, step := range []struct {
			event                                string
			payload                              payload
			title, body, severity, url, collapse string
		}{
			{"ping", github("", payload{"zen": "Keep it logically awesome.", "hook_id": 1}), "acme/shop: the webhook works", "Keep it logically awesome.", "success", "https://github.com/acme/shop", ""},
			{"push", github("", payload{"ref": "refs/heads/main", "compare": "https://github.com/acme/shop/compare/a...b", "commits": []any{payload{"id": "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "message": "Fix it\n\nAt last."}, payload{"id": "0", "message": "x"}}}),
				"acme/shop: 2 commits to main by mona", "6113728 Fix it\n0 x", "info", "https://github.com/acme/shop/compare/a...b", ""},
			{"push", github("", payload{"ref": "refs/tags/v1", "created": true, "commits": []any{}}), "acme/shop: tag v1 created by mona", "", "info", "https://github.com/acme/shop", ""},
			{"pull_request", pull("opened", false), "acme/shop #7: Faster *search*", "opened by mona\nfast → main", "info", "https://github.com/acme/shop/pull/7", "github:acme/shop:pull:7"},
			{"pull_request", pull("closed", true), "acme/shop #7: Faster *search*", "merged by mona\nfast → main", "success", "https://github.com/acme/shop/pull/7", "github:acme/shop:pull:7"},
			{"issues", issue, "acme/shop #8: It is slow", "closed by mona", "success", "https://github.com/acme/shop/issues/8", "github:acme/shop:issue:8"},
			{"release", github("published", payload{"release": payload{"tag_name": "v2", "name": "", "body": "**New**", "html_url": "https://github.com/acme/shop/releases/v2"}}),
				"acme/shop: release v2 published", "**New**", "success", "https://github.com/acme/shop/releases/v2", "github:acme/shop:release:v2"},
			{"workflow_run", run("completed", "failure"), "acme/shop: Build #562 on main: failure", "Fix it", "warning", "https://github.com/acme/shop/actions/runs/1", "github:acme/shop:run:30433642"},
			{"workflow_run", run("completed", "success"), "acme/shop: Build #562 on main: success", "Fix it", "success", "https://github.com/acme/shop/actions/runs/1", "github:acme/shop:run:30433642"},
			{"check_run", github("completed", payload{"check_run": payload{"id": 4, "name": "lint", "head_sha": "abc", "conclusion": "timed_out", "html_url": "https://github.com/acme/shop/runs/4", "output": payload{"title": nil}}}),
				"acme/shop: check lint: timed out", "", "warning", "https://github.com/acme/shop/runs/4", "github:acme/shop:check:abc:lint"},
			{"issue_comment", github("created", payload{"comment": payload{"html_url": "https://github.com/acme/shop/issues/8#1"}, "issue": payload{"html_url": "https://github.com/acme/shop/issues/8"}}),
				"acme/shop: issue comment created by mona", "", "info", "https://github.com/acme/shop/issues/8#1", ""},
			{"organization", payload{"action": "member_added", "organization": payload{"login": "acme"}, "sender": payload{"login": "mona"}}, "acme: organization member added by mona", "", "info", "", ""},
		} {
			r := hook.send(step.event, step.payload).want(200)
			want := payload{"title": step.title, "body": step.body, "severity": step.severity, "category": "github", "url": step.url, "collapse_key": step.collapse,
				"id": r.at("notices").([]any)[0].(payload)["id"]}
			for name, value := range want {
				if value == "" && name != "body" {
					want[name] = nil
				}
			}
			is(s, fmt.Sprint(i, " ", step.event), anna.newest(), want)
		}
		if n := len(anna.get("/api/v1/notices").want(200).items()); n != 10 {
			s.Errorf("%d rows, want one less for each of two that changed", n)
		}
		before := s.number("SELECT count(*) FROM entries")
		for event, payload := range map[string]payload{"pull_request": pull("labeled", false), "issues": github("assigned", nil), "workflow_run": run("in_progress", nil),
			"check_run": github("created", nil), "release": github("edited", nil)} {
			if r := hook.send(event, payload).want(200); len(r.at("notices").([]any)) != 0 {
				s.Errorf("%s: %s", event, r.body)
			}
		}
		if s.number("SELECT count(*) FROM entries") != before {
			s.Error("what is no news was published")
		}
	})
}

// TestGitHubOnce: a call with the same body is the same call, whatever its delivery is said to be; in a form as well.
func TestGitHubOnce(t *testing.T) {
	onEach(t, nil, func(s *site) {
		hook := s.githubHook()
		first := hook.send("ping", github("", payload{"zen": "1"})).want(200)
		again := hook.send("ping", github("", payload{"zen": "1"})).want(200)
		if string(first.body) != string(again.body) || first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%s then %s", first.body, again.body)
		}
		text, err := json.Marshal(github("", payload{"zen": "2"}))
		if err != nil {
			s.Fatal(err)
		}
		body := "payload=" + url.QueryEscape(string(text))
		asForm := s.nobody().with("X-GitHub-Event", "ping").with("X-Hub-Signature-256", hook.signature(body)).with("Content-Type", "application/x-www-form-urlencoded")
		if other := asForm.post(hook.path, body).want(200); string(other.body) == string(first.body) || !strings.Contains(string(other.body), `"index":0`) {
			s.Errorf("%s", other.body)
		}
		key := s.bearer(s.addKey(models.ScopeNoticesWrite)).with("X-GitHub-Event", "ping") // as Gitea can
		key.post("/api/v1/hooks/github", github("", nil)).refused(422, "invalid")          // to nobody
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 2 {
			s.Errorf("%d notices", n)
		}
	})
}

// TestGitHubRefuses: what is not signed for the hook of the address is one and the same 401, and what is signed is looked at
// like any input.
//
// Security: S47
func TestGitHubRefuses(t *testing.T) {
	onEach(t, nil, func(s *site) {
		hook := s.githubHook()
		body := `{"zen":"x"}`
		good := hook.signature(body)
		asked := func(path, signature, body string) *reply {
			c := s.nobody().with("X-GitHub-Event", "ping")
			if signature != "" {
				c = c.with("X-Hub-Signature-256", signature)
			}
			return c.post(path, body)
		}
		plain := s.number("SELECT min(id) FROM api_keys") // which has no hook
		other := hook
		other.secret = ""
		wrong := asked(hook.path, "sha256="+strings.Repeat("0", 64), body).refused(401, "unauthenticated")
		for what, r := range map[string]*reply{
			"none":             asked(hook.path, "", body),
			"of another body":  asked(hook.path, good, body+" "),
			"cut":              asked(hook.path, good[:len(good)-2], body),
			"no hex":           asked(hook.path, "sha256=zz", body),
			"SHA-1":            asked(hook.path, "sha1="+good[7:], body),
			"bare":             asked(hook.path, good[7:], body),
			"the empty secret": asked(hook.path, other.signature(body), body),
			"no such key":      asked("/api/v1/hooks/github/99999999", good, body),
			"a key without":    asked("/api/v1/hooks/github/"+itoa(plain), good, body),
			"no hook's secret": asked("/api/v1/hooks/github/99999999", githubHook{secret: "bfh_"}.signature(body), body),
			"id 0":             asked("/api/v1/hooks/github/0", good, body),
			"no id":            asked("/api/v1/hooks/github/x", good, body),
		} {
			if r.status != 401 || string(r.body) != string(wrong.body) {
				s.Errorf("%s: %d %s", what, r.status, r.body)
			}
		}
		s.bearer(s.addKey(models.ScopeNoticesWrite)).with("X-GitHub-Event", "ping").post(hook.path, body).refused(401, "unauthenticated") // a key that would do elsewhere
		s.bearer("bfk_x").with("X-GitHub-Event", "ping").with("X-Hub-Signature-256", good).post(hook.path, body).refused(401, "unauthenticated")

		for event, body := range map[string]string{"ping": `[]`, "push": `{"ref":7}`, "issues": `{"action":"opened","issue":"x"}`, "release": `null`, "pull_request": `{"action":{}}`, "watch": `{"sender":{"login":"\u0000"}}`,
			"PING": `{}`, "": `{}`, "ping x": `{}`, "status": `{"a":` + strings.Repeat("[", 20000) + `}`} {
			if r := hook.send(event, body); r.status != 422 {
				s.Errorf("%s %.40s: %d %s", event, body, r.status, r.body)
			}
		}
		s.nobody().with("X-GitHub-Event", "ping").with("X-Hub-Signature-256", good).with("Content-Type", "text/plain").post(hook.path, body).refused(415, "unsupported_media_type")
		s.nobody().with("X-GitHub-Event", "ping").post(hook.path, strings.Repeat(" ", 2<<20)).refused(413, "too_large")
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 0 {
			s.Errorf("%d notices", n)
		}
	})
}

// TestHookEndsWithItsKey: once it has expired or is revoked nothing that is signed is taken, and no log has a secret.
//
// Security: S47
func TestHookEndsWithItsKey(t *testing.T) {
	onEach(t, nil, func(s *site) {
		hook := s.githubHook()
		number := s.number("SELECT max(id) FROM api_keys")
		hook.send("ping", "{}").want(200)
		s.exec("UPDATE api_keys SET expires_at = 1 WHERE id = ?", number)
		hook.send("ping", "{}").refused(401, "unauthenticated")
		s.exec("UPDATE api_keys SET expires_at = NULL WHERE id = ?", number)
		hook.send("ping", "{}").want(200)
		if err := s.server.Keys.Revoke(s.Context(), number); err != nil {
			s.Fatal(err)
		}
		hook.send("ping", "{}").refused(401, "unauthenticated")
		if log := s.log.String(); strings.Contains(log, hook.secret) || strings.Contains(log, hook.signature("{}")[7:]) || !strings.Contains(log, hook.path) {
			s.Error("the log has a secret, or no call")
		}
	})
}

// TestHookKeys: the secret of a hook is shown once, to whoever makes the key, and lies sealed.
func TestHookKeys(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		spec := payload{"name": "gh", "scopes": []string{"notices:write"}, "hook": "github", "to": payload{"everyone": true}}
		once := root.with("Idempotency-Key", "k")
		made, again := once.post("/api/v1/keys", spec).want(201), once.post("/api/v1/keys", spec).want(201)
		secret := made.text("hook_secret")
		if !strings.HasPrefix(secret, "bfh_") || len(secret) < 40 || secret == made.text("key") || string(made.body) != string(again.body) {
			s.Errorf("%s, then %s", made.body, again.body)
		}
		listed := root.get("/api/v1/keys").want(200)
		if strings.Contains(string(listed.body), secret) || listed.items()[0]["hook"] != "github" {
			s.Errorf("%s", listed.body)
		}
		var stored string
		if err := s.db.Read.Raw("SELECT hook_secret FROM api_keys").Scan(&stored).Error; err != nil || !strings.HasPrefix(stored, "sealed.") || strings.Contains(stored, secret) {
			s.Errorf("%s, %v", stored, err)
		}
		if plain := root.post("/api/v1/keys", payload{"name": "p", "scopes": []string{"notices:write"}}).want(201); strings.Contains(string(plain.body), "hook_secret") || plain.at("mapping") != nil {
			s.Errorf("%s", plain.body)
		}
		spec["hook"] = "gitlab"
		root.post("/api/v1/keys", spec).refused(422, "invalid")
		spec["hook"], spec["scopes"] = "github", []string{"tasks:write"}
		if fields := root.post("/api/v1/keys", spec).refused(422, "invalid").fields(); fmt.Sprint(fields) != "[scopes]" {
			s.Errorf("%v", fields)
		}
		moved := s.number("SELECT max(id) FROM api_keys")
		s.exec("UPDATE api_keys SET hook = 'github', hook_secret = ? WHERE id = ?", stored, moved)
		h := githubHook{s, "/api/v1/hooks/github/" + itoa(moved), secret}
		if r := h.send("ping", "{}"); r.status != http.StatusInternalServerError { // a secret serves the key that it was made for
			s.Errorf("%d", r.status)
		}
	})
}
