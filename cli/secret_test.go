package cli

import (
	"net/http"
	"strings"
	"testing"

	"belfry/internal/testpg"
)

// inside asks for the browser's session at one of the nodes: its cookie goes to each, as behind a balancer.
func inside(t *testing.T, what string, browser *http.Client, urls ...string) {
	t.Helper()
	for _, url := range urls {
		resp, err := browser.Get(url + "/api/v1/session")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", what, resp.StatusCode)
		}
	}
}

// TestNewSecretSignsNobodyOut replaces the stored key beside two nodes that run, then restarts one after the other.
//
// Security: S21
func TestNewSecretSignsNobodyOut(t *testing.T) {
	s := shell{t, []string{"BELFRY_DATABASE_URL=" + testpg.Database(t)}}
	s.ok("correct horse", "user", "add", "anna", "--password-stdin")
	one, stopOne := s.start()
	two, stopTwo := s.start()
	awaitReady(t, one)
	awaitReady(t, two)
	before, status := signIn(t, one, "anna", "correct horse")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	inside(t, "before", before, one, two)
	if said := s.ok("", "secret", "new"); !strings.Contains(said, "new signing key") {
		t.Errorf("%q", said)
	}
	inside(t, "right after", before, one, two)
	stopTwo()
	two = s.serving()
	fresh, status := signIn(t, two, "anna", "correct horse") // signed by the new key, which the other does not know yet
	if status != http.StatusOK {
		t.Fatal(status)
	}
	inside(t, "one restarted", before, one, two)
	inside(t, "signed in there", fresh, two, one)
	stopOne()
	one = s.serving()
	inside(t, "both restarted", before, one, two)
	inside(t, "both restarted", fresh, one, two)
}

func TestNewSecretWhereOneIsGiven(t *testing.T) {
	s := sqliteShell(t)
	given := shell{t, append(s.environ, "BELFRY_SECRET="+strings.Repeat("x", 32))}
	given.refused(exitUsage, "BELFRY_SECRET_PREVIOUS", "", "secret", "new")
	s.ok("", "secret", "new") // none was stored, and the settings of the server are not known here
	s.ok("", "secret", "new")
	url, stop := given.start()
	awaitReady(t, url)
	stop()
	s.refused(exitFailed, "given its key by SECRET", "", "secret", "new")
}
