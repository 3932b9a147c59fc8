package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeysOfHooks: the secret of a hook is what is printed, alone; a mapping comes from a file.
func TestKeysOfHooks(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		file := func(text string) string {
			name := filepath.Join(t.TempDir(), "mapping.json")
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return name
		}
		create := []string{"key", "create", "gh", "--scope", "notices:write", "--everyone"}
		made := s.run("", append(create, "--hook", "github")...)
		if !strings.HasPrefix(made.out, "bfh_") || len(strings.Fields(made.out)) != 1 || made.code != exitDone {
			t.Errorf("%+v", made)
		}
		if !strings.Contains(made.err, "http://localhost:8080/api/v1/hooks/github/1\n") || strings.Contains(made.err, strings.TrimSpace(made.out)) {
			t.Errorf("%+v", made)
		}
		key := s.ok("", append(create, "--mapping", file(`{"title": "$.name", "severity": {"from": "$.level", "values": {"error": "critical"}}}`))...)
		if !strings.HasPrefix(key, "bfk_") {
			t.Errorf("%q", key)
		}
		list := s.ok("", "key", "list", "--json")
		if !strings.Contains(list, `"hook":"github","mapping":null`) || !strings.Contains(list, `"hook":"","mapping":{"title":"$.name"`) || strings.Contains(list, strings.TrimSpace(made.out)) {
			t.Errorf("%s", list)
		}
		s.refused(exitUsage, "github", "", append(create, "--hook", "gitlab")...)
		s.refused(exitUsage, "no such file", "", append(create, "--mapping", filepath.Join(t.TempDir(), "none"))...)
		s.refused(exitUsage, "JSON", "", append(create, "--mapping", file("{"))...)
		s.refused(exitFailed, "mapping.title", "", append(create, "--mapping", file(`{"title": "$["}`))...)
		s.refused(exitFailed, "mapping", "", append(create, "--mapping", file(`{"subject": "$"}`))...)
	})
}

// TestHookOfAServer: the address is the called server's, unless PUBLIC_URL says how others find it.
func TestHookOfAServer(t *testing.T) {
	url, _ := api(t, map[string]string{"POST /keys": `{"id":5,"name":"gh","scopes":["notices:write"],"hook":"github","hook_secret":"bfh_x"}`})
	s := sqliteShell(t)
	s.open() // so that the command goes through the server
	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY=bfk_good")
	create := []string{"key", "create", "gh", "--scope", "notices:write", "--everyone", "--hook", "github"}
	if made := s.run("", create...); made.out != "bfh_x\n" || !strings.Contains(made.err, " "+url+"/api/v1/hooks/github/5\n") {
		t.Errorf("%+v", made)
	}
	if made := s.run("", append(create, "--public-url", "https://bell.example")...); !strings.Contains(made.err, " https://bell.example/api/v1/hooks/github/5\n") {
		t.Errorf("%+v", made)
	}
}
