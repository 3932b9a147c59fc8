package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/client"
	"belfry/internal/testpg"
)

// serving starts the server of a shell and gives its address when it is ready.
func (s shell) serving(args ...string) string {
	s.t.Helper()
	url, _ := s.start(args...)
	awaitReady(s.t, url)
	return url
}

func awaitReady(t *testing.T, url string) {
	t.Helper()
	waitFor(t, "the server", func() bool {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// start starts the server of a shell, and gives its address and the way to stop it, which the end of the
// test does too. Its exit code is checked then.
func (s shell) start(args ...string) (url string, stop func()) {
	s.t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()

	ctx, cancel := context.WithCancel(context.Background())
	var stdout, stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, "", append([]string{"serve", "--listen", address, "--drain", "100ms"}, args...), s.environ, strings.NewReader(""), &stdout, &stderr)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case code := <-ended:
			if code != exitDone {
				s.t.Errorf("serve: exit %d\n%s%s", code, &stdout, &stderr)
			}
		case <-time.After(30 * time.Second):
			s.t.Error("serve does not end")
		}
		http.DefaultClient.CloseIdleConnections()
	})
	s.t.Cleanup(stop)
	return "http://" + address, stop
}

// signIn gives a browser's HTTP client, or the status of the refusal.
func signIn(t *testing.T, url, name, password string) (*http.Client, int) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	body := fmt.Sprintf(`{"username": %q, "password": %q}`, name, password)
	resp, err := browser.Post(url+"/api/v1/login", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return browser, resp.StatusCode
}

// TestCommandsBesideARunningServer works on people, groups and keys while the server holds the file.
func TestCommandsBesideARunningServer(t *testing.T) {
	s := sqliteShell(t)
	key := strings.TrimSpace(s.ok("", "key", "create", "office", "--scope", "users:write,notices:write"))
	url := s.serving()
	s.refused(exitFailed, "is held by process", "", "user", "list")

	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY="+key)
	s.ok("correct horse", "user", "add", "root", "--admin", "--password-stdin")
	s.ok("battery staple", "user", "add", "anna", "--display-name", "Anna Blume", "--password-stdin")
	same(t, columns(s.ok("", "user", "list"), 0, 1, 2, 4), "NAME ROLE STATE DISPLAYED", "anna user enabled Anna", "root admin enabled root")
	s.refused(exitFailed, "exists already", "battery staple", "user", "add", "Anna", "--password-stdin")
	s.refused(exitFailed, "password: ", "short", "user", "add", "carl", "--password-stdin")
	s.refused(exitFailed, `there is no user "carl"`, "", "user", "disable", "carl")

	s.ok("", "user", "disable", "anna")
	if _, status := signIn(t, url, "anna", "battery staple"); status != http.StatusUnauthorized {
		t.Errorf("a disabled user signs in: %d", status)
	}
	s.ok("", "user", "enable", "anna")
	s.ok("another one", "user", "passwd", "anna", "--password-stdin")
	anna, status := signIn(t, url, "anna", "another one")
	if status != http.StatusOK {
		t.Errorf("the new password: %d", status)
	}

	s.ok("", "group", "add", "ops")
	s.ok("", "group", "join", "ops", "anna", "root")
	same(t, columns(s.ok("", "group", "list"), 0, 3), "NAME MEMBERS", "ops anna,root")
	file := csvFile(t, "username,groups\ncarl,ops\nanna,ops\n")
	if out := s.ok("", "user", "import", file, "--reset-links"); !strings.HasPrefix(out, "line 2: added carl http://") || !strings.Contains(out, "\nline 3: unchanged anna\n") {
		t.Errorf("%s", out)
	}
	s.ok("", "group", "leave", "ops", "carl")
	s.ok("", "user", "remove", "carl")
	s.ok("", "group", "leave", "ops", "root")
	same(t, columns(s.ok("", "group", "list"), 0, 3), "NAME MEMBERS", "ops anna")
	s.refused(exitFailed, `"ops"`, "", "group", "join", "ops", "carl")

	publishTwice(t, url, key, anna)

	s.ok("", "group", "remove", "ops")
	second := strings.TrimSpace(s.ok("", "key", "create", "ci", "--scope", "notices:write", "--expires", "30d"))
	if !strings.HasPrefix(second, "bfk_") {
		t.Errorf("%q", second)
	}
	s.refused(exitFailed, "own scopes", "", "key", "create", "more", "--scope", "tasks:write")
	same(t, columns(s.ok("", "key", "list"), 0, 1, 2), "ID NAME SCOPES", "1 office users:write,notices:write", "2 ci notices:write")
	s.ok("", "key", "revoke", "2")
	same(t, columns(s.ok("", "key", "list"), 0), "ID", "1")
	s.refused(exitFailed, "belfry: ", "", "user", "list", "--key", second)
}

// publishTwice sends one notice by two tries under one key, and finds it once in the inbox.
func publishTwice(t *testing.T, url, key string, anna *http.Client) {
	t.Helper()
	c, err := client.New(url, key)
	if err != nil {
		t.Fatal(err)
	}
	n := client.Notice{
		To: client.To{Groups: []string{"ops"}, Users: []string{"anna"}}, Title: "Build 12 is done", Body: "一切正常", Severity: "success", URL: "/builds/12",
		Actions: []client.Action{{Label: "Open", URL: "https://ci.example.org/12"}}, Category: "builds", Data: json.RawMessage(`{"build":12}`), IdempotencyKey: "build-12",
	}
	first, err := c.Publish(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Publish(t.Context(), n)
	if err != nil || *again != *first || first.ID == 0 || first.Cursor == "" {
		t.Errorf("%+v, then %+v, %v", first, again, err)
	}
	n.Title = "Build 13 is done"
	_, err = c.Publish(t.Context(), n)
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Code != "idempotency_mismatch" {
		t.Errorf("another notice under the same key: %v", err)
	}
	resp, err := anna.Get(url + "/api/v1/notices")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var inbox struct {
		Items []struct {
			ID    int64
			Title string
			Body  string
			Data  json.RawMessage
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&inbox); err != nil {
		t.Fatal(err)
	}
	if len(inbox.Items) != 1 || inbox.Items[0].ID != first.ID || inbox.Items[0].Body != n.Body || string(inbox.Items[0].Data) != `{"build":12}` {
		t.Errorf("anna has %+v", inbox.Items)
	}
}

// TestCommandsBesideAServerOnPostgres changes people in the shared database, and the running node acts
// on it though nobody told it.
func TestCommandsBesideAServerOnPostgres(t *testing.T) {
	s := shell{t, []string{"BELFRY_DATABASE_URL=" + testpg.Database(t)}}
	url := s.serving()
	s.ok("battery staple", "user", "add", "anna", "--password-stdin")
	anna, status := signIn(t, url, "anna", "battery staple")
	if status != http.StatusOK {
		t.Fatalf("sign-in: %d", status)
	}
	session := func() int {
		resp, err := anna.Get(url + "/api/v1/session")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := session(); got != http.StatusOK {
		t.Fatalf("session: %d", got)
	}
	s.ok("", "user", "disable", "anna")
	waitFor(t, "the session to end", func() bool { return session() == http.StatusUnauthorized })
}

// TestAddressIsTaken: the one thing that stands in a newcomer's way is told with the way around it.
func TestAddressIsTaken(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s, address := sqliteShell(t), other.Addr().String()
	s.refused(exitFailed, "address already in use; BELFRY_LISTEN takes another", "", "serve", "--listen", address)
	s.refused(exitFailed, "address already in use; BELFRY_INTERNAL_LISTEN takes another", "", "serve", "--listen", "127.0.0.1:0", "--internal-listen", address)
}

func TestServeDemo(t *testing.T) {
	s := sqliteShell(t)
	s.refused(exitUsage, "loopback", "", "serve", "--demo", "--listen", "0.0.0.0:0")
	url := s.serving("--demo")
	for _, page := range []string{"/", "/livez"} {
		resp, err := http.Get(url + page)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", page, resp.StatusCode)
		}
	}
}
