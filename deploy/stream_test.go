package deploy_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptrace"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// streaming answers with one event and stays open until the reader has gone or the test releases it.
func streaming(release <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: first\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
			_, _ = io.WriteString(w, "data: last\n\n")
		case <-r.Context().Done():
		}
	}
}

// firstLine reads a line of a stream, or fails when it does not come.
func firstLine(t *testing.T, response *http.Response) string {
	t.Helper()
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(response.Body).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		return text
	case <-time.After(patience):
		t.Fatal("nothing came")
		return ""
	}
}

func TestEventComesAtOnce(t *testing.T) {
	p := startNginx(t, "", node(t, streaming(nil)))
	began := time.Now()
	response := p.get(t, "/sse/stream", "Accept-Encoding: gzip")
	if line := firstLine(t, response); line != "data: first\n" {
		t.Errorf("got %q", line)
	}
	t.Log("first byte after", time.Since(began))
	if response.ProtoMajor != 2 || response.Header.Get("Content-Encoding") != "" {
		t.Errorf("%s, %v", response.Proto, response.Header)
	}
}

// TestStreamIsNotBuffered has a reader that reads nothing: a proxy that buffers would take in all
// there is, to disk if need be, while one that does not lets the node feel the reader.
func TestStreamIsNotBuffered(t *testing.T) {
	const more = 64 << 20 // than all sockets and windows on the way hold
	taken := make(chan int, 1)
	p := startNginx(t, "", node(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		chunk := []byte("data: " + strings.Repeat("x", 32<<10) + "\n\n")
		out, total := http.NewResponseController(w), 0
		for total < more {
			_ = out.SetWriteDeadline(time.Now().Add(2 * time.Second))
			n, err := w.Write(chunk)
			total += n
			if err != nil {
				break
			}
		}
		taken <- total
	}))
	p.get(t, "/sse/stream")
	if total := <-taken; total >= more {
		t.Errorf("nginx took in %d bytes that nobody has read", total)
	} else {
		t.Log("the node felt the reader after", total, "bytes")
	}
}

// TestStreamSettings looks at the settings too, for small events come through a buffering proxy as well.
func TestStreamSettings(t *testing.T) {
	p := startNginx(t, "", absentNode(t))
	out, err := exec.CommandContext(t.Context(), "nginx", "-T", "-c", filepath.Join(p.dir, "nginx.conf"), "-p", p.dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(out), "location /sse/ {")
	block, _, closed := strings.Cut(block, "\n        }")
	if !found || !closed {
		t.Fatal("there is no location /sse/")
	}
	for _, want := range []string{
		"proxy_buffering off;", "proxy_cache off;", "gzip off;", "error_log stderr crit;", "proxy_read_timeout 60s;",
		"error_page 502 503 504 =200 @away;", "proxy_next_upstream error timeout http_503;", "proxy_intercept_errors on;",
	} {
		if !strings.Contains(block, want) {
			t.Errorf("%q is missing in\n%s", want, block)
		}
	}
	for _, want := range []string{"proxy_http_version 1.1;", `proxy_set_header Connection "";`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

var comeBack = regexp.MustCompile(`(?m)^retry: ([1-5])\d{3}$`)

func TestMissingNodeIsNoErrorForAStream(t *testing.T) {
	p := startNginx(t, "", absentNode(t))
	waits := map[string]bool{}
	for range 20 {
		response := p.get(t, "/sse/stream?token=x", "Origin: https://host.example")
		text := body(t, response)
		if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" || !strings.HasSuffix(text, "\n\n") {
			t.Fatalf("%d %v %q", response.StatusCode, response.Header, text)
		}
		wait := comeBack.FindString(text)
		if wait == "" || strings.Contains(text, "data:") {
			t.Fatalf("no word of when to come back, or an event: %q", text)
		}
		waits[wait] = true
		checkOwnHeaders(t, response)
		if response.Header.Get("Access-Control-Allow-Origin") != "https://host.example" {
			t.Fatalf("a page of another origin may not read it: %v", response.Header)
		}
	}
	if len(waits) < 2 {
		t.Errorf("all come back at the same time: %v", waits)
	}
}

func TestNodeThatDiesBeforeItAnswers(t *testing.T) {
	p := startNginx(t, "", node(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	response := p.get(t, "/sse/stream")
	if text := body(t, response); response.StatusCode != 200 || !comeBack.MatchString(text) {
		t.Errorf("%d %q", response.StatusCode, text)
	}
}

// TestNoSecretIsLogged sends a secret in every place where a ticket may stand, through every fault
// that nginx writes down.
//
// Security: S15, S17
func TestNoSecretIsLogged(t *testing.T) {
	const canary = "canary-5up3r53cr3t"
	behaviour := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sse/dies", "/api/dies", "/dies":
			panic(http.ErrAbortHandler)
		case "/sse/broken":
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nno header\r\n\r\n")
				_ = connection.Close()
			}
		case "/sse/cut":
			_, _ = io.WriteString(w, "data: a\n\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	up, down := startNginx(t, "", node(t, behaviour)), startNginx(t, "", absentNode(t))
	for _, p := range []*proxy{up, down} {
		for _, path := range []string{"/sse/stream", "/sse/dies", "/sse/broken", "/sse/cut", "/api/dies", "/dies", "/assets/x"} {
			response := p.get(t, path+"?token="+canary+"&access_token="+canary, "Authorization: Bearer "+canary,
				"Cookie: belfry="+canary, "Referer: https://host.example/?token="+canary, "Last-Event-ID: "+canary)
			_, _ = io.Copy(io.Discard, response.Body) // which may be cut
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.plain+"/sse/stream?token="+canary, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := p.client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		p.stop() // so that all is written
		logs := p.logs(t)
		if strings.Contains(logs, canary) {
			t.Errorf("a secret is logged:\n%s", logs)
		}
		if strings.Count(logs, `"path":"/sse/`) != 5 {
			t.Errorf("not every stream is logged:\n%s", logs)
		}
	}
}

// TestHundredStreamsInOneOrigin is a browser with a hundred tabs that share nothing but the connection. With HTTP/1.1 the
// seventh stream would wait for ever, and so would every other request.
func TestHundredStreamsInOneOrigin(t *testing.T) {
	const streams = 100
	var mu sync.Mutex
	ports := map[string]bool{}
	p := startNginx(t, "", node(t, streaming(nil)))
	client := p.client()
	t.Cleanup(client.CloseIdleConnections)
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		mu.Lock()
		defer mu.Unlock()
		ports[got.Conn.LocalAddr().String()] = true
	}}
	ctx := httptrace.WithClientTrace(t.Context(), trace)
	open := func(path string) *http.Response {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	for i := range streams {
		if line := firstLine(t, open("/sse/stream")); line != "data: first\n" {
			t.Fatalf("stream %d: %q", i, line)
		}
	}
	if response := open("/sse-is-not-in-this-path"); response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
		t.Errorf("beside them: %s %s", response.Proto, response.Status)
	}
	if len(ports) != 1 {
		t.Errorf("%d connections", len(ports))
	}
}

func TestReloadKeepsOpenStreams(t *testing.T) {
	release := make(chan struct{})
	p := startNginx(t, "", node(t, streaming(release)))
	before := p.get(t, "/sse/stream")
	lines := bufio.NewReader(before.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "data: first\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if line := firstLine(t, p.get(t, "/sse/stream")); line != "data: first\n" {
		t.Errorf("after the reload: %q", line)
	}
	awaitLog(t, p, "gracefully shutting down") // the worker that holds the first stream
	close(release)
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), "data: last") {
		t.Errorf("the stream of before the reload got %q, %v", rest, err)
	}
}

// awaitLog waits for nginx to say something.
func awaitLog(t *testing.T, p *proxy, words string) {
	t.Helper()
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !strings.Contains(p.logs(t), words) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("nginx does not say %q", words)
		}
	}
}
