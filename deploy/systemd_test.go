package deploy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
)

const (
	unitFile = "systemd/belfry.service"
	// installed is where the unit expects the binary.
	installed = "/usr/local/bin/belfry"
)

// unitText is the unit for a binary that lies elsewhere.
func unitText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), installed, binary(t))
}

// analyze has systemd's own reader look at a unit, and gives what it says.
func analyze(t *testing.T, text string, args ...string) (said string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "belfry.service")
	writeFile(t, file, text)
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", append(args, file)...).CombinedOutput()
	return string(out), err
}

func TestUnitIsRead(t *testing.T) {
	verify := func(text string) string {
		said, err := analyze(t, text, "verify", "--man=no", "--recursive-errors=no")
		if err != nil {
			said += err.Error()
		}
		return said
	}
	text := unitText(t)
	if said := verify(text); said != "" {
		t.Errorf("systemd says %q", said)
	}
	for was, is := range map[string]string{
		"TimeoutStopSec=30s": "TimeoutStop=30s", "Type=notify": "Type=notified", "@system-service": "@systems", "StateDirectory=belfry": "StateDirectory=/belfry",
	} {
		if said := verify(strings.Replace(text, was, is, 1)); said == "" {
			t.Errorf("%q passes", is)
		}
	}
}

// exposure is what systemd may give the unit at most: 0 is safest, 100 has no restrictions at all.
const exposure = "15"

func TestUnitIsHardened(t *testing.T) {
	rate := func(text string) (string, error) {
		return analyze(t, text, "security", "--offline=true", "--no-pager", "--threshold="+exposure)
	}
	text := unitText(t)
	if said, err := rate(text); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if _, err := rate(strings.Replace(text, "SystemCallFilter=@system-service\n", "", 1)); err == nil {
		t.Error("a unit with every system call passes")
	}
}

// service is the unit's own command line with the unit's own environment, as systemd would run it.
type service struct {
	options  map[string]string
	cmd      *exec.Cmd
	exited   <-chan struct{}
	notified *bufio.Scanner
	log      string
}

// newService parses the unit. The files of /etc/belfry and the folder of credentials are the test's.
func newService(t *testing.T, secrets map[string]string, extra ...string) *service {
	t.Helper()
	sections, err := unit.DeserializeSections(strings.NewReader(unitText(t)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &service{options: map[string]string{}, log: filepath.Join(dir, "log")}
	var environ []string
	credentials := filepath.Join(dir, "credentials")
	for _, section := range sections {
		for _, e := range section.Entries {
			switch e.Name {
			case "Environment":
				environ = append(environ, strings.Fields(strings.ReplaceAll(e.Value, "%d", credentials))...)
			case "EnvironmentFile":
				environ = append(environ, settingsOf(t, "systemd/"+filepath.Base(e.Value))...)
			case "LoadCredential":
				name, _, _ := strings.Cut(e.Value, ":")
				if secrets[name] == "" {
					t.Fatalf("the unit loads %s, of which this test knows nothing", e.Value)
				}
				writeFile(t, filepath.Join(credentials, name), secrets[name])
			default:
				s.options[e.Name] = e.Value
			}
		}
	}
	words := strings.Fields(s.options["ExecStart"])
	s.cmd = exec.CommandContext(t.Context(), words[0], words[1:]...)
	s.cmd.Dir, s.cmd.Env = dir, append(environ, extra...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return s
}

// settingsOf reads a file of settings as systemd does.
func settingsOf(t *testing.T, file string) (environ []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			environ = append(environ, line)
		}
	}
	return environ
}

// start runs the command, which is to say on a socket how it is.
func (s *service) start(t *testing.T) {
	t.Helper()
	socket, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "unixgram", filepath.Join(s.cmd.Dir, "notify"))
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.SetReadDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	s.notified = bufio.NewScanner(packets{socket})
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Env = append(s.cmd.Env, "NOTIFY_SOCKET="+socket.LocalAddr().String())
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if s.exited, err = startAndWatch(s.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.exited
		_ = socket.Close()
		_ = log.Close()
	})
}

// packets reads a line a message.
type packets struct{ net.PacketConn }

func (p packets) Read(into []byte) (int, error) {
	n, _, err := p.ReadFrom(into[:len(into)-1])
	if err != nil {
		return 0, err
	}
	into[n] = '\n'
	return n + 1, nil
}

// awaitState wants the next word to the service manager to be this.
func (s *service) awaitState(t *testing.T, want string) {
	t.Helper()
	if !s.notified.Scan() || s.notified.Text() != want {
		said, _ := os.ReadFile(s.log)
		t.Fatalf("it says %q, %v; want %q\n%s", s.notified.Text(), s.notified.Err(), want, said)
	}
}

func (s *service) duration(t *testing.T, name string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s.options[name])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestUnitServes runs what the unit says: it is ready when it says so, and ends well in the time it has.
func TestUnitServes(t *testing.T) {
	address := absentNode(t)
	secrets := map[string]string{"database_url": "sqlite:belfry.db\n", "secret": strings.Repeat("s", 32) + "\n"}
	s := newService(t, secrets, "BELFRY_LISTEN="+address, "BELFRY_INTERNAL_LISTEN=", "BELFRY_DRAIN=100ms")
	if s.options["Type"] != "notify" || s.options["KillSignal"] != "" {
		t.Errorf("%v", s.options)
	}
	if limit := s.duration(t, "TimeoutStopSec"); limit < 2*(10+2)*time.Second {
		t.Errorf("it is killed after %v, and may drain for 10 s", limit)
	}
	s.start(t)
	s.awaitState(t, "READY=1")
	b := &belfry{proxy: &proxy{}, address: address}
	if !b.ready(t) {
		t.Error("it is not ready")
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.awaitState(t, "STOPPING=1")
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if _, err := os.Stat(filepath.Join(s.cmd.Dir, "belfry.db")); err != nil {
		t.Error("the credentials are not read:", err)
	}
}

// TestUnitDoesNotTryAgainInVain: the exit code of wrong settings is the one that systemd does not restart after.
func TestUnitDoesNotTryAgainInVain(t *testing.T) {
	secrets := map[string]string{"database_url": "sqlite:belfry.db", "secret": "short"}
	s := newService(t, secrets)
	var said bytes.Buffer
	s.cmd.Stderr = &said
	_ = s.cmd.Run() // the exit code says it
	if code := fmt.Sprint(s.cmd.ProcessState.ExitCode()); code != s.options["RestartPreventExitStatus"] || !strings.Contains(said.String(), "SECRET") {
		t.Errorf("exit %s\n%s", code, &said)
	}
}

// TestUnitWaitsForTheDatabase: a node that found none is started again, however often that was in vain.
func TestUnitWaitsForTheDatabase(t *testing.T) {
	away, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away.Close()
	s := newService(t, map[string]string{"database_url": "postgres://belfry@" + away.Addr().String() + "/belfry", "secret": strings.Repeat("s", 32)})
	_ = s.cmd.Run() // the exit code says it
	if code := s.cmd.ProcessState.ExitCode(); code != 1 || s.options["Restart"] != "on-failure" || s.options["StartLimitIntervalSec"] != "0" {
		t.Errorf("exit %d, %v", code, s.options)
	}
}
