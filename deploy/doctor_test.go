package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// diagnosis is what belfry doctor --json prints.
type diagnosis struct {
	Wrong    int
	Findings []struct {
		Check, Result, Detail string
		Fix                   struct{ Nginx, Apache, Caddy, Traefik string }
	}
}

// doctor runs the command, signed in as the admin, and wants its exit code to agree with what it prints.
func (b *belfry) doctor(t *testing.T, path string, flags ...string) (diagnosis, error) {
	args := append([]string{"doctor", b.base + path, "--ca", filepath.Join(b.dir, "tls.crt"), "--json", "--user", "admin", "--password-stdin"}, flags...)
	cmd := b.command(t, args...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = strings.NewReader(adminPassword), &out, &said, b.dir
	_ = cmd.Run() // the exit code says it
	var d diagnosis
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		return d, fmt.Errorf("exit %d: %w\n%s%s", cmd.ProcessState.ExitCode(), err, &out, &said)
	}
	if code := cmd.ProcessState.ExitCode(); code != min(d.Wrong, 1) {
		return d, fmt.Errorf("exit %d with %d findings that are wrong", code, d.Wrong)
	}
	return d, nil
}

func (b *belfry) command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), b.binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // what names the binary to the tests is no setting
	return cmd
}

// wronged lists what is wrong, a line each, with the directive for nginx.
func (d diagnosis) wronged() string {
	var lines []string
	for _, f := range d.Findings {
		if f.Result == "wrong" {
			lines = append(lines, f.Check+": "+f.Detail+" | "+f.Fix.Nginx)
		}
	}
	return strings.Join(lines, "\n")
}

// right is a location that streams go through as they should. What a case replaces is set wrongly.
const right = `location /%s/ {
	proxy_pass http://belfry/;
	proxy_buffering off;
	proxy_read_timeout 1h;
	proxy_http_version 1.1;
	proxy_set_header Host $http_host;
	proxy_set_header Connection "";
}
`

var wrongly = []struct {
	name, replace, by string
	check, directive  string
}{
	{"buffers", "proxy_buffering off;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;", "slow reader", "proxy_buffering off;"},
	{"right", "", "", "", ""},
	{"compresses", "proxy_buffering off;", "gzip on; gzip_types text/event-stream; gzip_proxied any;", "compression", "gzip off;"},
	{"old", "proxy_http_version 1.1;", "proxy_http_version 1.0;", "request", "proxy_http_version 1.1;"},
	{"impatient", "proxy_read_timeout 1h;", "proxy_read_timeout 3s;", "silence", "proxy_read_timeout 60s;"},
	{"forgetful", `Connection "";`, `Connection ""; proxy_set_header Last-Event-ID "";`, "request", "proxy_set_header Last-Event-ID $http_last_event_id;"},
	{"anonymous", `Connection "";`, `Connection ""; proxy_set_header Authorization "";`, "request", "proxy_set_header Authorization $http_authorization;"},
	{"renamed", "Host $http_host;", "Host $proxy_host;", "request", "proxy_set_header Host $http_host;"},
	{"caching", "proxy_buffering off;", "proxy_buffering off; proxy_hide_header Cache-Control;", "headers", "proxy_hide_header Cache-Control;"},
	{"stingy", "proxy_buffering off;", "proxy_buffering off; limit_conn each 8;", "connections", "limit_conn"},
}

// TestDoctor looks through a real nginx set wrongly in one way after another, and through the one that is shipped.
func TestDoctor(t *testing.T) {
	program := binary(t)
	var extra strings.Builder
	for _, c := range wrongly {
		extra.WriteString(strings.Replace(fmt.Sprintf(right, c.name), c.replace, c.by, 1))
	}
	address := absentNode(t)
	p := startNginxWith(t, "limit_conn_zone $binary_remote_addr zone=each:1m;\n", extra.String(), address)
	b := newBelfry(p, program, address, "sqlite:"+filepath.Join(p.dir, "belfry.db"))
	b.environ = append(b.environ, "BELFRY_HEARTBEAT=5s") // above the impatient read timeout, which a busy machine's first answer has to keep
	b.up(t)
	t.Run("shipped", func(t *testing.T) {
		d, err := b.doctor(t, "")
		if err != nil || d.Wrong != 0 {
			t.Error(err, d.wronged())
		}
		for _, f := range d.Findings {
			if f.Result != "ok" {
				t.Errorf("%s %s: %s", f.Result, f.Check, f.Detail)
			}
		}
		if len(d.Findings) < 10 {
			t.Errorf("it looked at %d things", len(d.Findings))
		}
	})
	diagnoses, faults := make([]diagnosis, len(wrongly)), make([]error, len(wrongly))
	var all sync.WaitGroup // all wait, none works: more of them at once than parallel tests may be
	for i, c := range wrongly {
		look := func() { diagnoses[i], faults[i] = b.doctor(t, "/"+c.name, "--streams", "12") }
		if c.check == "slow reader" { // Belfry fills one client's stream at a time: that one goes first
			look()
		} else {
			all.Go(look)
		}
	}
	all.Wait()
	for i, c := range wrongly {
		t.Run(c.name, func(t *testing.T) {
			found := diagnoses[i].wronged()
			t.Log(found)
			if faults[i] != nil || c.check == "" && found != "" {
				t.Error(faults[i], found)
			}
			if !strings.Contains(found, c.check) || !strings.Contains(found, c.directive) {
				t.Errorf("want %s and %q", c.check, c.directive)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		b.down(t)
		if found := b.doctorAnonymously(t).wronged(); !strings.Contains(found, "reach: ") {
			t.Errorf("found %q", found)
		}
	})
}

// doctorAnonymously runs the command without a person.
func (b *belfry) doctorAnonymously(t *testing.T) diagnosis {
	t.Helper()
	out, _ := b.command(t, "doctor", b.base, "--ca", filepath.Join(b.dir, "tls.crt"), "--json").Output()
	var d diagnosis
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return d
}
