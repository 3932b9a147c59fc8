package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestHeldFile(t *testing.T) {
	s := sqliteShell(t)
	s.ok("", "migrate")
	s.open()
	held := fmt.Sprintf("belfry.db is held by process %d", os.Getpid())
	for _, args := range [][]string{
		{"user", "list"}, {"group", "list"}, {"key", "list"}, {"user", "disable", "anna"},
		{"user", "list", "--url", "http://127.0.0.1:1"}, {"user", "list", "--key", "bfk_x"},
	} {
		s.refused(exitFailed, held+"; to work through it, set BELFRY_URL and BELFRY_KEY", "", args...)
	}
	for _, args := range [][]string{{"epoch", "new"}, {"secret", "new"}, {"migrate"}, {"migrate", "status"}, {"serve", "--listen", "127.0.0.1:0"}} {
		s.refused(exitFailed, held+"\n", "", args...) // for these there is no way through
	}
}

// api stands for a running server: it notes what it is asked and answers from a table.
func api(t *testing.T, answers map[string]string) (url string, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		call := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1")
		*asked = append(*asked, strings.TrimSpace(call+" "+string(body)))
		answer, known := answers[call]
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Header.Get("Authorization") != "Bearer bfk_good":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			answer = `{"code": "unauthenticated", "title": "Unauthenticated", "detail": "The credential is not valid."}`
		case !known:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			answer = `{"code": "not_found", "title": "Not found", "detail": "There is nothing here."}`
		case answer == "":
			w.WriteHeader(http.StatusNoContent)
		case !json.Valid([]byte(answer)):
			t.Errorf("%s is answered with %s", call, answer)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestHeldFileThroughTheAPI(t *testing.T) {
	const anna = `{"username":"anna","display_name":"Anna","role":"user","locale":"","disabled":true,"created_at":"2026-01-02T03:04:05.678Z"}`
	url, asked := api(t, map[string]string{
		"GET /users":                      `{"items":[` + anna + `],"next_before":null}`,
		"POST /users":                     anna,
		"PATCH /users/anna":               anna,
		"POST /users/anna/reset-link":     `{"url":"https://bell.example/reset#t","expires_at":"2026-01-02T03:04:05.678Z"}`,
		"GET /groups":                     `{"items":[{"name":"ops","display_name":"Ops","members":["anna","bob"],"created_at":"2026-01-02T03:04:05.678Z"}],"next_before":null}`,
		"POST /groups":                    `{"name":"ops"}`,
		"DELETE /groups/ops":              "",
		"DELETE /users/anna":              "",
		"PATCH /groups/ops":               `{"name":"watch"}`,
		"PUT /groups/ops/members/anna":    "",
		"PUT /groups/ops/members/bob":     "",
		"DELETE /groups/ops/members/anna": "",
		"GET /keys":                       `{"items":[{"id":4,"name":"ci","scopes":["notices:write"],"created_at":"2026-01-02T03:04:05.678Z","expires_at":null}],"next_before":null}`,
		"POST /keys":                      `{"id":5,"name":"ci","scopes":["notices:write"],"key":"bfk_new"}`,
		"DELETE /keys/4":                  "",
	})
	s := sqliteShell(t)
	s.open()
	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY=bfk_good")
	for _, tt := range []struct {
		args, stdin, out string
		asked            []string
	}{
		{"user list", "", "NAME  ROLE  STATE     CREATED     DISPLAYED\nanna  user  disabled  2026-01-02  Anna\n", []string{"GET /users"}},
		{"user add anna --password-stdin", "long enough\n", "added user anna\n", []string{`POST /users {"username":"anna","password":"long enough","role":"user"}`}},
		{"user passwd anna --password-stdin", "long enough\n", "changed the password of anna\n", []string{`PATCH /users/anna {"password":"long enough"}`}},
		{"user disable anna", "", "disabled anna\n", []string{`PATCH /users/anna {"disabled":true}`}},
		{"user enable anna", "", "enabled anna\n", []string{`PATCH /users/anna {"disabled":false}`}},
		{"user reset-link anna", "", "https://bell.example/reset#t\n", []string{"POST /users/anna/reset-link"}},
		{"group list", "", "NAME  STATE    CREATED     MEMBERS   DISPLAYED\nops   enabled  2026-01-02  anna,bob  Ops\n", []string{"GET /groups"}},
		{"group add ops", "", "added group ops\n", []string{`POST /groups {"name":"ops"}`}},
		{"user rename anna anja", "", "renamed anna to anna\n", []string{`PATCH /users/anna {"username":"anja"}`}},
		{"user remove anna", "", "removed anna\n", []string{"DELETE /users/anna"}},
		{"group rename ops watch", "", "renamed ops to watch\n", []string{`PATCH /groups/ops {"name":"watch"}`}},
		{"group disable ops", "", "disabled watch\n", []string{`PATCH /groups/ops {"disabled":true}`}},
		{"group enable ops", "", "enabled watch\n", []string{`PATCH /groups/ops {"disabled":false}`}},
		{"group remove ops", "", "removed group ops\n", []string{"DELETE /groups/ops"}},
		{"group join ops anna bob", "", "anna, bob joined group ops\n", []string{"PUT /groups/ops/members/anna", "PUT /groups/ops/members/bob"}},
		{"group leave ops anna", "", "anna left group ops\n", []string{"DELETE /groups/ops/members/anna"}},
		{"key list", "", "ID  NAME  SCOPES         CREATED     EXPIRES  USED\n4   ci    notices:write  2026-01-02  -        -\n", []string{"GET /keys"}},
		{"key create ci --scope notices:write", "", "bfk_new\n", []string{`POST /keys {"name":"ci","scopes":["notices:write"]}`}},
		{"key create ci --scope notices:write --category builds", "", "bfk_new\n", []string{`POST /keys {"name":"ci","scopes":["notices:write"],"category":"builds"}`}},
		{"key revoke 4", "", "revoked key 4\n", []string{"DELETE /keys/4"}},
	} {
		*asked = nil
		if out := s.ok(tt.stdin, strings.Fields(tt.args)...); out != tt.out {
			t.Errorf("%s:\n%q, want\n%q", tt.args, out, tt.out)
		}
		if !slices.Equal(*asked, tt.asked) {
			t.Errorf("%s: asked %q", tt.args, *asked)
		}
	}
	s.refused(exitFailed, `there is no user "carl"`, "", "user", "disable", "carl")
	s.refused(exitFailed, `there is no user "carl"`, "", "user", "reset-link", "carl")
	s.refused(exitFailed, "there is no key 9", "", "key", "revoke", "9")
	s.refused(exitFailed, "belfry.db is held by process", "", "epoch", "new")
	s.refused(exitFailed, "The credential is not valid.", "", "user", "list", "--key", "bfk_bad")
	s.refused(exitFailed, "BELFRY_URL cannot be reached: ", "", "user", "list", "--url", "http://127.0.0.1:1")
}

// TestFreeFileIsOpened makes sure that the API is the second way and not the first.
func TestFreeFileIsOpened(t *testing.T) {
	url, asked := api(t, nil)
	s := sqliteShell(t)
	s.ok("", "migrate")
	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY=bfk_good")
	s.ok("", "group", "add", "ops")
	if len(*asked) != 0 {
		t.Errorf("asked %q", *asked)
	}
}

// TestNoFileIsMadeBesideAServer: who names a server and has no file means that server.
func TestNoFileIsMadeBesideAServer(t *testing.T) {
	url, asked := api(t, map[string]string{"POST /groups": `{"name":"ops"}`})
	s := sqliteShell(t)
	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY=bfk_good")
	s.ok("", "group", "add", "ops")
	if len(*asked) != 1 {
		t.Errorf("asked %q", *asked)
	}
	if _, err := os.Stat(strings.TrimPrefix(s.databaseURL(), "sqlite:")); !os.IsNotExist(err) {
		t.Errorf("a database was made: %v", err)
	}
}
