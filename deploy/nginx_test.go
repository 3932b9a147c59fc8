// Package deploy_test runs what Belfry is deployed with: the real nginx with the real nginx.conf,
// before small servers that misbehave as no healthy node would, and before Belfry itself.
package deploy_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that ought to be at once; on a busy machine it is not.
const patience = 60 * time.Second

// proxy is a running nginx.
type proxy struct {
	base   string // https://127.0.0.1:port
	plain  string // http://127.0.0.1:port
	dir    string
	cmd    *exec.Cmd
	exited <-chan struct{}
	trust  *x509.CertPool
}

// startNginx runs nginx.conf with a site of its own: free ports, a fresh certificate and the given
// nodes. extra is added to the server with TLS.
func startNginx(t *testing.T, extra string, nodes ...string) *proxy {
	t.Helper()
	return startNginxWith(t, "", extra, nodes...)
}

// startNginxWith also adds something outside the servers.
func startNginxWith(t *testing.T, outside, extra string, nodes ...string) *proxy {
	t.Helper()
	p := &proxy{dir: t.TempDir(), trust: x509.NewCertPool()}
	install(t, p.dir)
	var fault error
	for range 3 { // another process may take a free port before nginx does
		plain, secure := freePort(t), freePort(t)
		p.plain, p.base = fmt.Sprintf("http://127.0.0.1:%d", plain), fmt.Sprintf("https://127.0.0.1:%d", secure)
		writeSite(t, p, plain, secure, extra, nodes)
		http := filepath.Join(p.dir, "deploy/nginx/site/http.conf")
		site, err := os.ReadFile(http)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, http, outside+string(site))
		if fault = p.start(t); fault == nil {
			return p
		}
	}
	t.Fatal(fault)
	return nil
}

// install copies what an administrator would to /etc/nginx.
func install(t *testing.T, dir string) {
	t.Helper()
	conf, err := os.ReadFile("../nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "nginx.conf"), string(conf))
	if err := os.CopyFS(filepath.Join(dir, "deploy/nginx"), os.DirFS("nginx")); err != nil {
		t.Fatal(err)
	}
}

// writeSite writes the files that differ from place to place.
func writeSite(t *testing.T, p *proxy, plain, secure int, extra string, nodes []string) {
	t.Helper()
	site := func(name, text string) { writeFile(t, filepath.Join(p.dir, "deploy/nginx/site", name), text) }
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // the workers write under the test's own directory
	}
	site("main.conf", user+"pid "+p.dir+"/nginx.pid;\nerror_log stderr info;\n")
	site("events.conf", "worker_connections 512;\n")
	var servers, temp strings.Builder
	for _, node := range nodes {
		fmt.Fprintf(&servers, "server %s fail_timeout=1s;\n", strings.TrimPrefix(node, "http://"))
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s/tmp-%[1]s;\n", kind, p.dir)
	}
	site("http.conf", fmt.Sprintf("access_log %s/access.log belfry;\n%supstream belfry {\nzone belfry 64k;\nleast_conn;\n%skeepalive 8;\n}\n",
		p.dir, temp.String(), servers.String()))
	site("plain.conf", fmt.Sprintf("listen 127.0.0.1:%d;\n", plain))
	certificate, key := p.certificate(t)
	site("tls.conf", fmt.Sprintf("listen 127.0.0.1:%d ssl http2;\nssl_certificate %s;\nssl_certificate_key %s;\n", secure, certificate, key))
	site("server-test.conf", extra)
}

// certificate writes the pair that httptest has for 127.0.0.1, and trusts it.
func (p *proxy) certificate(t *testing.T) (certificate, key string) {
	t.Helper()
	source := httptest.NewUnstartedServer(nil)
	source.StartTLS()
	defer source.Close()
	pair := source.TLS.Certificates[0]
	p.trust.AddCert(source.Certificate())
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(p.dir, "tls.crt"), filepath.Join(p.dir, "tls.key")
	writeFile(t, certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return certificate, key
}

// start runs nginx in the foreground and returns when it accepts connections.
func (p *proxy) start(t *testing.T) error {
	t.Helper()
	p.cmd = exec.CommandContext(t.Context(), "nginx", "-c", filepath.Join(p.dir, "nginx.conf"), "-p", p.dir, "-g", "daemon off;")
	stderr, err := os.Create(filepath.Join(p.dir, "stderr.log"))
	if err != nil {
		return err
	}
	p.cmd.Stderr = stderr
	// SIGTERM, for the workers outlive a master that was killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	if p.exited, err = startAndWatch(p.cmd); err != nil {
		return err
	}
	t.Cleanup(func() {
		p.stop()
		_ = stderr.Close()
	})
	return awaitPort(strings.TrimPrefix(p.base, "https://"), p.exited, stderr.Name())
}

// stop ends nginx and waits until it has.
func (p *proxy) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.exited
}

// startAndWatch starts a process whose death signal is tied to a thread that lives as long as it;
// the channel is closed when it has ended.
func startAndWatch(cmd *exec.Cmd) (<-chan struct{}, error) {
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return exited, <-started
}

func awaitPort(address string, exited <-chan struct{}, log string) error {
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-tick.C:
		case <-exited:
			said, _ := os.ReadFile(log)
			return fmt.Errorf("it ended: %s", said)
		case <-deadline:
			return err
		}
	}
}

// client speaks HTTP/2 to nginx, as browsers do, and follows no redirect.
func (p *proxy) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:    &tls.Config{RootCAs: p.trust},
			ForceAttemptHTTP2:  true,
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get asks nginx for a path, with headers given as "Name: value".
func (p *proxy) get(t *testing.T, path string, headers ...string) *http.Response {
	t.Helper()
	return p.send(t, http.MethodGet, path, nil, headers...)
}

func (p *proxy) send(t *testing.T, method, path string, body io.Reader, headers ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	client := p.client()
	t.Cleanup(client.CloseIdleConnections)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// logs returns all that nginx has written.
func (p *proxy) logs(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"access.log", "stderr.log"} {
		text, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// node is an upstream that answers as a test wants it to.
func node(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// absentNode is the address of one that is not running.
func absentNode(t *testing.T) string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}
