package deploy_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const adminPassword = "canary-p455w0rd-of-the-admin"

// belfry is the real binary behind nginx, with a database of its own.
type belfry struct {
	*proxy
	binary, address string
	environ         []string
	log             string
	cmd             *exec.Cmd
	exited          <-chan struct{}
}

// startBelfry starts nginx first: a node knows the address that browsers use.
func startBelfry(t *testing.T, extra string) *belfry {
	t.Helper()
	address, program := absentNode(t), binary(t)
	p := startNginx(t, extra, address)
	return newBelfry(p, program, address, "sqlite:"+filepath.Join(p.dir, "belfry.db"))
}

// newBelfry is a node behind nginx that does not run yet.
func newBelfry(p *proxy, program, address, database string) *belfry {
	b := &belfry{proxy: p, binary: program, address: address, log: filepath.Join(p.dir, "belfry.log")}
	b.environ = []string{
		"PATH=" + os.Getenv("PATH"), "BELFRY_LISTEN=" + b.address, "BELFRY_PUBLIC_URL=" + b.base,
		"BELFRY_DATABASE_URL=" + database, "BELFRY_TRUSTED_PROXIES=127.0.0.1/32",
		"BELFRY_ADMIN_USER=admin", "BELFRY_ADMIN_PASSWORD=" + adminPassword,
		"BELFRY_HEARTBEAT=200ms", "BELFRY_DRAIN=500ms", "BELFRY_LOG_LEVEL=debug", "BELFRY_LOG_FORMAT=json",
	}
	return b
}

// binary is the one that BELFRY_BIN names, which must be there, or else the one that was built last.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("BELFRY_BIN")
	if path == "" {
		path = "../bin/belfry"
		if _, err := os.Stat(path); err != nil && os.Getenv("CI") == "" {
			t.Skip("no binary: make build")
		}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

// up starts the node and returns when it is ready, and nginx finds it so.
func (b *belfry) up(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	b.cmd = exec.CommandContext(t.Context(), b.binary, "serve")
	b.cmd.Env, b.cmd.Dir, b.cmd.Stdout, b.cmd.Stderr = b.environ, b.dir, log, log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if b.exited, err = startAndWatch(b.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill()
		<-b.exited
		_ = log.Close()
	})
	if err := awaitPort(b.address, b.exited, b.log); err != nil {
		t.Fatal(err)
	}
	tick, deadline := time.NewTicker(50*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !b.ready(t) || b.get(t, "/readyz").StatusCode != http.StatusOK {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it does not get ready")
		}
	}
}

// ready asks the node itself.
func (b *belfry) ready(t *testing.T) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.address+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// down asks the node to end, and wants it to end well.
func (b *belfry) down(t *testing.T) {
	t.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.exited:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if code := b.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("it ended with %d", code)
	}
}

// post sends JSON as the page does and returns the answer, which must have the status.
func (b *belfry) post(t *testing.T, path, cookie, text string, status int) *http.Response {
	t.Helper()
	response := b.send(t, http.MethodPost, path, strings.NewReader(text),
		"Content-Type: application/json", "Origin: "+b.base, "Cookie: "+cookie, "X-Forwarded-For: 203.0.113.9")
	if response.StatusCode != status {
		t.Fatalf("POST %s: %d %s", path, response.StatusCode, body(t, response))
	}
	return response
}

// login returns the cookie.
func (b *belfry) login(t *testing.T) string {
	t.Helper()
	response := b.post(t, "/api/v1/login", "", `{"username":"admin","password":"`+adminPassword+`"}`, http.StatusOK)
	var session struct{ IP string }
	if err := json.NewDecoder(response.Body).Decode(&session); err != nil || session.IP != "127.0.0.1" {
		t.Errorf("the session is from %q, %v", session.IP, err)
	}
	for _, cookie := range response.Cookies() {
		if cookie.Name == "__Host-belfry" && cookie.Secure && cookie.HttpOnly {
			return cookie.Name + "=" + cookie.Value
		}
	}
	t.Fatalf("no cookie that is bound to https: %v", response.Header)
	return ""
}

// events reads a stream.
type events struct {
	t     *testing.T
	lines chan string
}

func (b *belfry) stream(t *testing.T, path string, headers ...string) *events {
	t.Helper()
	response := b.get(t, path, headers...)
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
		t.Fatalf("%s: %s", response.Proto, response.Status)
	}
	e := &events{t: t, lines: make(chan string)}
	go func() {
		defer close(e.lines)
		scanner := bufio.NewScanner(response.Body)
		for scanner.Scan() {
			select {
			case e.lines <- scanner.Text():
			case <-t.Context().Done():
				return
			}
		}
	}()
	return e
}

// await reads on until a line begins like this.
func (e *events) await(prefix string) string {
	e.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, open := <-e.lines:
			if strings.HasPrefix(line, prefix) {
				return line
			}
			if !open {
				e.t.Fatalf("the stream ended before %q", prefix)
			}
		case <-deadline:
			e.t.Fatalf("no %q", prefix)
		}
	}
}

func (e *events) awaitEnd() {
	e.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-e.lines:
			if !open {
				return
			}
		case <-deadline:
			e.t.Fatal("the stream does not end")
		}
	}
}

// TestBelfryBehindNginx walks through a day: away, up, a message, a restart.
func TestBelfryBehindNginx(t *testing.T) {
	b := startBelfry(t, "")
	if text := body(t, b.get(t, "/sse/stream")); !comeBack.MatchString(text) {
		t.Errorf("while it is away: %q", text)
	}
	b.up(t)
	cookie := b.login(t)
	var ticket struct{ Token string }
	if err := json.NewDecoder(b.post(t, "/api/v1/stream-tickets", cookie, "", http.StatusCreated).Body).Decode(&ticket); err != nil {
		t.Fatal(err)
	}
	withCookie := b.stream(t, "/sse/stream", "Cookie: "+cookie)
	withTicket := b.stream(t, "/sse/notice?token="+ticket.Token)
	for _, s := range []*events{withCookie, withTicket} {
		s.await("event: hello")
		s.await("event: ping") // so silence is not the proxy's
	}
	began := time.Now()
	b.post(t, "/api/v1/notices", cookie, `{"to":{"users":["admin"]},"title":"great tom"}`, http.StatusCreated)
	withCookie.await("event: notice")
	t.Log("published and received after", time.Since(began))
	withTicket.await("event: notice")

	b.down(t)
	withCookie.awaitEnd()
	withTicket.awaitEnd()
	if text := body(t, b.get(t, "/sse/stream?token="+ticket.Token)); !comeBack.MatchString(text) {
		t.Errorf("while it restarts: %q", text)
	}
	b.up(t)
	b.stream(t, "/sse/stream", "Cookie: "+cookie).await("event: hello")

	b.stop() // nginx, so that all is written
	said, err := os.ReadFile(b.log)
	if err != nil {
		t.Fatal(err)
	}
	logs := b.logs(t) + string(said)
	_, secret, _ := strings.Cut(cookie, "=")
	for _, canary := range []string{adminPassword, ticket.Token, secret} {
		if strings.Contains(logs, canary) {
			t.Error("a secret is logged")
		}
	}
}

func TestBelfryPageBehindNginx(t *testing.T) {
	b := startBelfry(t, "")
	b.up(t)
	page := b.get(t, "/")
	text := body(t, page)
	script := regexp.MustCompile(`/assets/[^"]+\.js`).FindString(text)
	if page.StatusCode != http.StatusOK || script == "" {
		t.Fatalf("%d %q", page.StatusCode, text)
	}
	asset := b.get(t, script, "Accept-Encoding: gzip")
	for path, want := range map[*http.Response]string{page: "no-", asset: "immutable"} {
		if got := path.Header.Values("Cache-Control"); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("Cache-Control %q, want %q", got, want)
		}
	}
	answers := map[string]*http.Response{
		"page": page, "asset": asset, "API": b.get(t, "/api/v1/session"), "stream": b.get(t, "/sse/stream"), "nothing": b.get(t, "/api/nothing"),
	}
	for name, response := range answers {
		for _, header := range []string{
			"Strict-Transport-Security", "X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "Cache-Control", "Content-Type",
			"Permissions-Policy", "Cross-Origin-Opener-Policy",
		} {
			if got := response.Header.Values(header); len(got) != 1 || got[0] == "" {
				t.Errorf("%s: %s is %q, want one value", name, header, got)
			}
		}
		_, _ = io.Copy(io.Discard, response.Body)
	}
}

func TestBelfryShutsApplicationsBesideIt(t *testing.T) {
	application := node(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("X-Belfry-User")) })
	b := startBelfry(t, intranet(t, application))
	b.up(t)
	want := func(status int, state, text, cookie string) {
		t.Helper()
		response := b.get(t, "/intranet/", "Cookie: "+cookie, "X-Belfry-User: root")
		if got := body(t, response); response.StatusCode != status || response.Header.Get("X-Belfry-State") != state || text != "" && got != text {
			t.Errorf("%d %v %q, want %d, state %q, %q", response.StatusCode, response.Header, got, status, state, text)
		}
	}
	want(401, "none", "", "")
	cookie := b.login(t)
	want(200, "", "admin", cookie)
	b.post(t, "/api/v1/session/lock", cookie, "", http.StatusOK)
	want(401, "locked", "", cookie)
	b.post(t, "/api/v1/logout", cookie, "", http.StatusNoContent)
	want(401, "ended", "", cookie)
}
