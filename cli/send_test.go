package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// office is a running server with an admin "root", the people anna and bob, a group ops that anna is in, and a key
// that may send and mint tickets.
func office(t *testing.T, more ...string) (s shell, url string) {
	t.Helper()
	s = sqliteShell(t)
	for _, name := range append(more, "anna", "bob") {
		s.ok("battery staple", "user", "add", name, "--password-stdin")
	}
	s.ok("", "group", "add", "ops")
	s.ok("", "group", "join", "ops", "anna")
	key := strings.TrimSpace(s.ok("", "key", "create", "office", "--scope", "notices:write,tickets:write,tasks:write,sessions:write"))
	url = s.serving()
	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY="+key)
	return s, url
}

// without is the same shell less one setting.
func (s shell) without(name string) shell {
	var rest []string
	for _, pair := range s.environ {
		if !strings.HasPrefix(pair, name+"=") {
			rest = append(rest, pair)
		}
	}
	return shell{s.t, rest}
}

// key is the one that the shell's commands have.
func (s shell) key() string {
	for _, pair := range s.environ {
		if value, found := strings.CutPrefix(pair, "BELFRY_KEY="); found {
			return value
		}
	}
	return ""
}

// running is a command that goes on until it is stopped.
type running struct {
	t     *testing.T
	lines chan string // of standard output
	stop  context.CancelFunc
	ended chan int
	err   *bytes.Buffer // to be read after the end
}

func (s shell) begin(stdin string, args ...string) *running {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	r := &running{s.t, make(chan string, 1000), cancel, make(chan int, 1), &bytes.Buffer{}}
	go func() {
		r.ended <- Run(ctx, "", args, s.environ, strings.NewReader(stdin), in, r.err)
		_ = in.Close()
	}()
	go func() {
		defer close(r.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			r.lines <- scanner.Text()
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		for range r.lines { // until it has ended
		}
	})
	return r
}

// await gives the next line that has the words.
func (r *running) await(words string) string {
	r.t.Helper()
	tooLate := time.After(30 * time.Second)
	for {
		select {
		case line, open := <-r.lines:
			if strings.Contains(line, words) {
				return line
			}
			if !open {
				r.t.Fatalf("it ended before %q: %s", words, r.err)
			}
		case <-tooLate:
			r.t.Fatalf("no %q", words)
		}
	}
}

// end waits for the exit code.
func (r *running) end() int {
	r.t.Helper()
	select {
	case code := <-r.ended:
		return code
	case <-time.After(30 * time.Second):
		r.t.Fatal("it does not end")
		return -1
	}
}

func TestSendAndTail(t *testing.T) {
	s, url := office(t)
	byKey := s.begin("", "tail", "--user", "anna", "--json")
	byKey.await(`"event":"hello"`)
	byPassword := s.without("BELFRY_KEY").begin("battery staple", "tail", "--user", "anna", "--password-stdin")

	out := s.ok("first line\nsecond\n", "send", "--to", "anna,bob", "--group", "ops", "Disk at 91 %", "-",
		"--severity", "warning", "--category", "disks", "--link", "/hosts/db-1", "--action", "Open=https://h.example/?a=1,2", "--markdown",
		"--data", `{"host": "db-1"}`, "--collapse-key", "disk", "--expires", "2h", "--idempotency-key", "k1")
	if !strings.HasPrefix(out, "sent notice ") {
		t.Errorf("%q", out)
	}
	var e struct {
		ID, Event string
		Data      map[string]any
	}
	if err := json.Unmarshal([]byte(byKey.await(`"event":"notice"`)), &e); err != nil {
		t.Fatal(err)
	}
	action, err := json.Marshal(e.Data["actions"])
	if err != nil || string(action) != `[{"label":"Open","url":"https://h.example/?a=1,2"}]` {
		t.Errorf("%s, %v", action, err)
	}
	for name, want := range map[string]string{
		"title": "Disk at 91 %", "body": "first line\nsecond", "format": "markdown", "url": "/hosts/db-1", "severity": "warning", "category": "disks", "collapse_key": "disk",
	} {
		if e.Data[name] != want {
			t.Errorf("%s is %v, want %q", name, e.Data[name], want)
		}
	}
	if e.ID == "" || e.Data["expires_at"] == nil {
		t.Errorf("%+v", e)
	}
	// The other stream began at some time of its own: what comes now comes to both.
	waitFor(t, "a line of the other stream", func() bool {
		s.ok("", "send", "--to", "anna", "again", "and\x1b[2J again")
		select {
		case line := <-byPassword.lines:
			return strings.Contains(line, "again: and\uFFFD[2J again")
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
	// From behind the first notice on comes all the rest, and nothing before.
	behind := s.begin("", "tail", "--user", "anna", "--json", "--from", e.ID, "--event", "notice")
	behind.await(`"event":"hello"`)
	if line := behind.await(`"event":"notice"`); strings.Contains(line, "91 %") {
		t.Errorf("%s", line)
	}
	for name, r := range map[string]*running{"by key": byKey, "by password": byPassword, "from": behind} {
		r.stop()
		if code := r.end(); code != exitDone || r.err.Len() > 0 {
			t.Errorf("%s: exit %d, %s", name, code, r.err)
		}
	}
	sessionsAreOver(t, url)
}

// sessionsAreOver: who tailed by password is signed out.
func sessionsAreOver(t *testing.T, url string) {
	t.Helper()
	browser, status := signIn(t, url, "anna", "battery staple")
	if status != http.StatusOK {
		t.Fatalf("sign-in: %d", status)
	}
	resp, err := browser.Get(url + "/api/v1/sessions")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Items []struct{ Current bool } }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Items) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestTailOfALockedSession(t *testing.T) {
	s, url := office(t)
	r := s.without("BELFRY_KEY").begin("battery staple", "tail", "--user", "anna", "--password-stdin", "--json")
	r.await(`"event":"hello"`)
	req, err := http.NewRequest(http.MethodPost, url+"/api/v1/users/anna/sessions/lock", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if code := r.end(); code != exitFailed || !strings.Contains(r.err.String(), "tickets:write") {
		t.Errorf("exit %d, %s", code, r.err)
	}
}

func TestSendIsRefused(t *testing.T) {
	s, _ := office(t)
	s.refused(exitUsage, "to whom?", "", "send", "Hello")
	s.refused(exitUsage, "--data", "", "send", "--everyone", "Hello", "--data", "{")
	s.refused(exitUsage, "--action", "", "send", "--everyone", "Hello", "--action", "Open")
	s.refused(exitUsage, "too long", strings.Repeat("x", maxBodyInput+1), "send", "--everyone", "Hello", "-")
	s.refused(exitUsage, "BELFRY_KEY", "", "send", "--everyone", "Hello", "--key", "")
	s.refused(exitUsage, "BELFRY_URL", "", "tail", "--user", "anna", "--url", "")
	s.without("BELFRY_URL").refused(exitUsage, "BELFRY_URL", "", "send", "--everyone", "Hello")
	s.refused(exitFailed, "nobody", "", "send", "--to", "nobody", "Hello")
	s.refused(exitFailed, "belfry key list", "", "send", "--everyone", "Hello", "--key", "bfk_wrong")
	s.refused(exitFailed, "severity", "", "send", "--everyone", "Hello", "--severity", "loud")
	s.refused(exitFailed, "belfry: ", "", "tail", "--user", "carl")
	s.without("BELFRY_KEY").refused(exitFailed, "belfry: ", "wrong one", "tail", "--user", "anna", "--password-stdin")
	// A password is what counts where one is given, and not a key that other commands need.
	s.refused(exitFailed, "password", "wrong one", "tail", "--user", "anna", "--password-stdin", "--key", "bfk_wrong")
	s.without("BELFRY_KEY").refused(exitUsage, "--password-stdin", "", "tail", "--user", "anna")

	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	if out := s.ok("", "send", "--everyone", "Later", "--deliver-at", later); !strings.HasPrefix(out, "scheduled notice ") {
		t.Errorf("%q", out)
	}
	if out := s.ok("", "send", "--everyone", "Now", "--json"); !strings.HasPrefix(out, `{"id":`) || !strings.Contains(out, `"cursor":"`) {
		t.Errorf("%q", out)
	}
}

func TestListsAsJSON(t *testing.T) {
	s := sqliteShell(t)
	s.ok("battery staple", "user", "add", "anna", "--password-stdin")
	s.ok("", "group", "add", "ops")
	s.ok("", "group", "join", "ops", "anna")
	secret := strings.TrimSpace(s.ok("", "key", "create", "ci", "--scope", "notices:write"))
	for noun, want := range map[string]string{
		"user": `"username":"anna","display_name":"anna","role":"user"`, "group": `"members":["anna"]`, "key": `"scopes":["notices:write"]`,
	} {
		out := s.ok("", noun, "list", "--json")
		var items []map[string]any
		if err := json.Unmarshal([]byte(out), &items); err != nil || len(items) != 1 || !strings.Contains(out, want) || strings.Contains(out, secret) {
			t.Errorf("%s: %v in\n%s", noun, err, out)
		}
	}
}

// TestExpiryCountsFromTheRelease: what waits for its time is of use for as long as was said after that.
func TestExpiryCountsFromTheRelease(t *testing.T) {
	at := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	c := sendCmd{recipients: recipients{Everyone: true}, Title: "t", DeliverAt: at, Expires: 2 * time.Hour}
	if n, err := c.notice(&console{}); err != nil || n.ExpiresAt == nil || !n.ExpiresAt.Equal(at.Add(2*time.Hour)) {
		t.Errorf("%v: of use until %v", err, n.ExpiresAt)
	}
}
