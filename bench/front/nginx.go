// Package front runs the real nginx with the repository's own nginx.conf before nodes.
package front

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/bench/server"
)

const (
	startTimeout = 10 * time.Second
	lookEvery    = 10 * time.Millisecond
)

// Nginx is a running nginx with an address of its own, which it keeps over restarts.
type Nginx struct {
	Base string // https://127.0.0.1:port

	dir     string
	process *server.Process
	trust   *x509.CertPool
}

// New starts nginx before the nodes, given as host:port. It ends with the test.
func New(t testing.TB, nodes ...string) *Nginx {
	t.Helper()
	n := &Nginx{dir: t.TempDir(), trust: x509.NewCertPool()}
	plain, secure := server.FreeAddress(t), server.FreeAddress(t)
	n.Base = "https://" + secure
	if err := errors.Join(n.install(), n.writeSite(plain, secure, nodes), n.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.end(syscall.SIGTERM) })
	return n
}

// install copies what an administrator would to /etc/nginx.
func (n *Nginx) install() error {
	root, err := repository()
	if err != nil {
		return err
	}
	conf, err := os.ReadFile(filepath.Join(root, "nginx.conf"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.CopyFS(filepath.Join(n.dir, "deploy/nginx"), os.DirFS(filepath.Join(root, "deploy/nginx"))),
		os.WriteFile(filepath.Join(n.dir, "nginx.conf"), conf, 0o600))
}

// repository is the nearest folder upwards that holds nginx.conf. What the compiler knows of the sources' place is
// no help: with -trimpath it is no path at all.
func repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "nginx.conf")); missing == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("nginx.conf: not in this folder, nor in one above")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// writeSite writes the files that differ from place to place.
func (n *Nginx) writeSite(plain, secure string, nodes []string) error {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // the workers write under the test's own directory
	}
	var servers, temp strings.Builder
	for _, node := range nodes {
		fmt.Fprintf(&servers, "server %s fail_timeout=1s;\n", node)
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s/tmp-%[1]s;\n", kind, n.dir)
	}
	certificate, key, err := n.certificate()
	return errors.Join(err,
		n.site("main.conf", user+"pid "+n.dir+"/nginx.pid;\nerror_log stderr crit;\n"),
		n.site("events.conf", "worker_connections 16384;\n"),
		n.site("http.conf", temp.String()+"access_log "+n.dir+"/access.log belfry;\nupstream belfry {\nzone belfry 64k;\nleast_conn;\n"+servers.String()+"keepalive 64;\n}\n"),
		n.site("plain.conf", "listen "+plain+";\n"),
		n.site("tls.conf", fmt.Sprintf("listen %s ssl http2;\nssl_certificate %s;\nssl_certificate_key %s;\n", secure, certificate, key)))
}

func (n *Nginx) site(name, text string) error {
	return os.WriteFile(filepath.Join(n.dir, "deploy/nginx/site", name), []byte(text), 0o600)
}

// certificate writes the pair that httptest has for 127.0.0.1, and trusts it.
func (n *Nginx) certificate() (certificate, key string, err error) {
	source := httptest.NewUnstartedServer(nil)
	source.StartTLS()
	defer source.Close()
	pair := source.TLS.Certificates[0]
	n.trust.AddCert(source.Certificate())
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return "", "", err
	}
	certificate, key = filepath.Join(n.dir, "tls.crt"), filepath.Join(n.dir, "tls.key")
	return certificate, key, errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// Start runs nginx in the foreground and returns when it accepts connections.
func (n *Nginx) Start() error {
	cmd := exec.CommandContext(context.Background(), "nginx", "-c", filepath.Join(n.dir, "nginx.conf"), "-p", n.dir, "-g", "daemon off;")
	log, err := os.OpenFile(filepath.Join(n.dir, "stderr.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // nginx has it now
	cmd.Stdout, cmd.Stderr = log, log
	// SIGTERM, for the workers outlive a master that was killed.
	if n.process, err = server.Start(cmd, syscall.SIGTERM); err != nil {
		return err
	}
	deadline, tick := time.After(startTimeout), time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		connection, err := (&net.Dialer{Timeout: time.Second}).Dial("tcp", strings.TrimPrefix(n.Base, "https://"))
		if err == nil {
			return connection.Close()
		}
		select {
		case <-tick.C:
		case <-n.process.Exited():
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("nginx ended: %s", said)
		case <-deadline:
			return err
		}
	}
}

// Stop ends nginx at once, its connections with it.
func (n *Nginx) Stop() { n.end(syscall.SIGTERM) }

func (n *Nginx) end(signal syscall.Signal) {
	_ = n.process.Signal(signal)
	<-n.process.Exited()
}

// Reload has nginx read its configuration anew: new workers take over, the old ones keep their streams a while.
func (n *Nginx) Reload() error { return n.process.Signal(syscall.SIGHUP) }

// Client speaks HTTP/2 to nginx, as browsers do. A request that is not answered in time is given up; 0 = never.
func (n *Nginx) Client(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: n.trust}, ForceAttemptHTTP2: true, DisableCompression: true,
	}}
}
