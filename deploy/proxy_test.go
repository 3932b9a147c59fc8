package deploy_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestConfigurationOfEachPlace checks the files as they are: Debian's where they lie, the
// container's with a certificate where its secrets would be.
func TestConfigurationOfEachPlace(t *testing.T) {
	check := func(t *testing.T, conf string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "nginx", "-t", "-c", conf).CombinedOutput()
		if err != nil || strings.Contains(string(out), "[warn]") {
			t.Errorf("%v\n%s", err, out)
		}
	}
	t.Run("Debian", func(t *testing.T) {
		conf, err := filepath.Abs("../nginx.conf")
		if err != nil {
			t.Fatal(err)
		}
		check(t, conf)
	})
	t.Run("container", func(t *testing.T) {
		p := &proxy{dir: t.TempDir(), trust: x509.NewCertPool()}
		install(t, p.dir)
		site := filepath.Join(p.dir, "deploy/nginx/site")
		if err := os.RemoveAll(site); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(site, os.DirFS("nginx/container")); err != nil {
			t.Fatal(err)
		}
		certificate, key := p.certificate(t)
		text, err := os.ReadFile(filepath.Join(site, "tls.conf"))
		if err != nil {
			t.Fatal(err)
		}
		given := strings.NewReplacer("/run/secrets/tls_cert", certificate, "/run/secrets/tls_key", key).Replace(string(text))
		writeFile(t, filepath.Join(site, "tls.conf"), given)
		check(t, filepath.Join(p.dir, "nginx.conf"))
	})
}

func TestBrowsersGetHTTP2OverTLS(t *testing.T) {
	p := startNginx(t, "", node(t, func(http.ResponseWriter, *http.Request) {}))
	if response := p.get(t, "/"); response.ProtoMajor != 2 || response.TLS.Version < tls.VersionTLS12 {
		t.Errorf("%s over TLS %x", response.Proto, response.TLS.Version)
	}
	old := &tls.Config{RootCAs: p.trust, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	dialer := tls.Dialer{Config: old}
	if connection, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(p.base, "https://")); err == nil {
		_ = connection.Close()
		t.Error("TLS 1.1 is accepted")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.plain+"/login?next=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if to := response.Header.Get("Location"); response.StatusCode != 308 || to != "https://127.0.0.1/login?next=1" {
		t.Errorf("plain HTTP: %d to %q", response.StatusCode, to)
	}
}

// Security: S35
func TestNodeLearnsWhoAsks(t *testing.T) {
	p := startNginx(t, "", node(t, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"host": r.Host, "header": r.Header})
	}))
	response := p.get(t, "/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http", "X-Real-IP: 203.0.113.9",
		"Forwarded: for=203.0.113.9", "X-Forwarded-Host: evil.example")
	var got struct {
		Host   string
		Header http.Header
	}
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(p.base, "https://")
	if got.Host != address {
		t.Errorf("Host is %q, want %q", got.Host, address)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Host": address, "Forwarded": "",
	} {
		if have := strings.Join(got.Header[name], ","); have != want {
			t.Errorf("%s is %q, want %q", name, have, want)
		}
	}
}

// Security: S32
func TestHeadersAreSentOnce(t *testing.T) {
	ours := map[string]string{
		"Strict-Transport-Security": "max-age=99", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'self'", "Cache-Control": "private", "Retry-After": "7",
		"Permissions-Policy": "usb=()", "Cross-Origin-Opener-Policy": "same-origin",
		"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Credentials": "true",
	}
	p := startNginx(t, "", node(t, func(w http.ResponseWriter, r *http.Request) {
		for name, value := range ours {
			w.Header().Set(name, value)
		}
		if strings.HasPrefix(r.URL.Path, "/sse/") {
			w.WriteHeader(http.StatusUnauthorized) // a 503 of a stream is for nginx alone
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	for _, path := range []string{"/", "/api/v1/session", "/assets/a.js", "/sse/stream"} {
		response := p.get(t, path, "Origin: https://a.example")
		for name, value := range ours {
			if got := response.Header.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s: %s is %q, want the node's %q once", path, name, got, value)
			}
		}
		if got := response.Header.Get("Server"); got != "nginx" {
			t.Errorf("Server is %q", got)
		}
	}
}

func TestErrorsOfNginxItself(t *testing.T) {
	p := startNginx(t, "", absentNode(t))
	large := bytes.Repeat([]byte("x"), 17<<20+1)
	for _, c := range []struct {
		name                   string
		response               *http.Response
		status                 int
		contentType, code, say string
	}{
		{"page", p.get(t, "/"), 503, "text/html; charset=utf-8", "", "2"},
		{"API", p.get(t, "/api/v1/session"), 503, "application/problem+json", "unavailable", "2"},
		{"body", p.send(t, "POST", "/api/v1/notices", bytes.NewReader(large)), 413, "application/problem+json", "too_large", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := c.response.Header
			if c.response.StatusCode != c.status || header.Get("Content-Type") != c.contentType || header.Get("Retry-After") != c.say {
				t.Errorf("%d, %v", c.response.StatusCode, header)
			}
			checkOwnHeaders(t, c.response)
			if comesBack := header.Get("Refresh") != ""; comesBack != (c.name == "page") {
				t.Errorf("it loads itself again: %v", comesBack)
			}
			var problem struct{ Code string }
			if text := body(t, c.response); c.code != "" && (json.Unmarshal([]byte(text), &problem) != nil || problem.Code != c.code) {
				t.Errorf("body %q", text)
			}
		})
	}
}

// checkOwnHeaders wants what every answer carries, also one that no node has made.
func checkOwnHeaders(t *testing.T, response *http.Response) {
	t.Helper()
	for name, want := range map[string]string{
		"Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'",
		"Permissions-Policy": "camera=()", "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
	} {
		if got := response.Header.Values(name); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestBodyUpToTheLargestReachesTheNode(t *testing.T) {
	p := startNginx(t, "", node(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}))
	if got := body(t, p.send(t, "POST", "/api/v1/notices/batch", bytes.NewReader(make([]byte, 16<<20)))); got != "16777216" {
		t.Errorf("the node got %s bytes", got)
	}
}

func TestAssetsAreCachedAndThePageIsNot(t *testing.T) {
	script := strings.Repeat("bell();", 1000)
	older := node(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/", "/assets/old.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = io.WriteString(w, script)
		default:
			http.NotFound(w, r)
		}
	})
	newer := node(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && r.URL.Path != "/assets/new.js" {
			http.NotFound(w, r)
		}
	})
	p := startNginx(t, "", older, newer)
	for range 4 { // whichever node is asked first
		for path, want := range map[string]struct {
			status  int
			caching string
		}{
			"/":              {200, "no-cache"},
			"/assets/old.js": {200, "public, max-age=31536000, immutable"},
			"/assets/new.js": {200, "public, max-age=31536000, immutable"},
			"/assets/no.js":  {404, "no-store"},
		} {
			response := p.get(t, path)
			if got := response.Header.Get("Cache-Control"); response.StatusCode != want.status || got != want.caching {
				t.Errorf("%s: %d %q, want %d %q", path, response.StatusCode, got, want.status, want.caching)
			}
		}
	}
	response := p.get(t, "/assets/old.js", "Accept-Encoding: gzip")
	packed, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatalf("%v, %v", err, response.Header)
	}
	if text, err := io.ReadAll(packed); err != nil || string(text) != script {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func TestAnotherNodeIsTriedWhileConnecting(t *testing.T) {
	p := startNginx(t, "", absentNode(t), node(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for range 10 {
		if response := p.send(t, "POST", "/api/v1/notices", strings.NewReader("{}")); response.StatusCode != 204 {
			t.Fatalf("%d though a node is up", response.StatusCode)
		}
	}
}

func TestRequestThatANodeTookInIsNotSentTwice(t *testing.T) {
	var taken atomic.Int32
	dying := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		taken.Add(1)
		panic(http.ErrAbortHandler)
	}
	p := startNginx(t, "", node(t, dying), node(t, dying))
	if response := p.send(t, "POST", "/api/v1/notices", strings.NewReader("{}")); response.StatusCode != 503 {
		t.Errorf("%d", response.StatusCode)
	}
	if n := taken.Load(); n != 1 {
		t.Errorf("nodes got it %d times", n)
	}
}
