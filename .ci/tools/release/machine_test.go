package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// storeVariable names a folder to a process that is to be a machine of its own.
const storeVariable = "MACHINE_STORE"

// TestMain is also how a machine starts, and the "systemctl" that it has: there is no service manager that would keep to it.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "systemctl":
		os.Exit(exitCode(systemctl(os.Args[1:])))
	case os.Getenv(storeVariable) != "":
		os.Exit(exitCode(boot(os.Getenv(storeVariable))))
	}
	os.Exit(m.Run())
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// machine runs a script, as root, on something like a Debian machine that was just installed: with this one's programs, its own
// processes and network, and folders that nobody else sees. All of it ends with the script.
func machine(t *testing.T, dir, script string) (said string, err error) {
	t.Helper()
	store := t.TempDir()
	if err := os.WriteFile(filepath.Join(store, "script"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Dir = dir
	cmd.Env = []string{storeVariable + "=" + store, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// emptied are the folders that a new machine has nothing in, apart from what boot puts there.
var emptied = []string{"/usr/local/bin", "/usr/local/sbin", "/usr/local/share", "/root", "/run", "/var/log", "/var/lib", "/var/cache", "/var/backups"}

// boot makes the machine around the script, of which it is the first process, and runs it.
func boot(store string) error {
	script, err := os.ReadFile(filepath.Join(store, "script")) // before the store is covered
	if err != nil {
		return err
	}
	if err := errors.Join(
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", 0, ""),
		syscall.Sethostname([]byte("belfry")),
		raiseLoopback(),
		furnish(store),
	); err != nil {
		return err
	}
	// Debian's package makes a cluster and starts it.
	setUp := "pg_createcluster --start $(ls /usr/lib/postgresql | sort -V | tail -n 1) main -- --no-sync\n"
	return runAll("set -eu\n" + setUp + string(script))
}

// furnish gives the machine folders of its own.
func furnish(store string) error {
	if err := syscall.Mount("store", store, "tmpfs", 0, ""); err != nil {
		return err
	}
	etc := filepath.Join(store, "etc")
	packages, err := os.ReadFile("/var/lib/dpkg/status")
	if err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-a", "/etc", etc).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := syscall.Mount(etc, "/etc", "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	for _, folder := range emptied {
		if err := syscall.Mount("emptied", folder, "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	faults := []error{
		os.Symlink(self, "/usr/local/sbin/systemctl"),
		os.RemoveAll("/etc/postgresql"), os.RemoveAll("/etc/belfry"),
		os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost belfry belfry.example\n"), 0o644),
	}
	for _, folder := range []string{
		"/var/log/nginx", "/var/log/postgresql", "/var/lib/nginx", "/var/lib/dpkg/updates", "/var/lib/dpkg/info", "/var/lib/apt/lists/partial",
		"/var/cache/apt/archives/partial", "/run/lock", "/etc/postgresql", "/var/lib/postgresql",
	} {
		faults = append(faults, os.MkdirAll(folder, 0o755))
	}
	owned, err := exec.Command("chown", "postgres:postgres", "/etc/postgresql", "/var/lib/postgresql", "/var/log/postgresql").CombinedOutput()
	if err != nil {
		faults = append(faults, fmt.Errorf("%w: %s", err, owned))
	}
	return errors.Join(append(faults, os.WriteFile("/var/lib/dpkg/status", packages, 0o644))...)
}

// raiseLoopback does "ip link set lo up", for which a package would be needed.
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(socket) }()
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

// runAll runs a script, and buries whatever else ends meanwhile, as a first process has to.
func runAll(script string) error {
	files := []uintptr{os.Stdin.Fd(), os.Stdout.Fd(), os.Stderr.Fd()}
	environ := append(os.Environ(), storeVariable+"=")
	main, err := syscall.ForkExec("/bin/bash", []string{"bash", "-c", script}, &syscall.ProcAttr{Env: environ, Files: files})
	if err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case ended == main && status.ExitStatus() != 0:
			return fmt.Errorf("the script ended with %d", status.ExitStatus())
		case ended == main:
			return nil
		}
	}
}

// systemctl does what the page asks of the command of that name, and nothing that it does not ask.
func systemctl(args []string) error {
	switch strings.Join(args, " ") {
	case "daemon-reload":
		return nil
	case "enable --now belfry", "start belfry":
		return startService()
	case "stop belfry":
		return stopService()
	case "restart belfry":
		return errors.Join(stopService(), startService())
	case "restart nginx":
		cmd := exec.Command("nginx") // which did not run
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	}
	return fmt.Errorf("this machine's systemctl does not know %q", args)
}

const (
	serviceFile = "/etc/systemd/system/belfry.service"
	pidFile     = "/run/belfry.pid"
	logFile     = "/var/log/belfry.log"
	// dynamicUser is one of those that systemd takes for a service of that kind.
	dynamicUser = 61184
	// patience is how long anything may take that ought to be at once.
	patience = 60 * time.Second
)

// readUnit gives the settings of a unit, each with all its values.
func readUnit() (map[string][]string, error) {
	text, err := os.ReadFile(serviceFile)
	if err != nil {
		return nil, err
	}
	settings := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(name, "#") {
			settings[name] = append(settings[name], value)
		}
	}
	return settings, nil
}

// startService runs the unit's command line under its user, in its folder, with its settings, credentials and limits, and
// returns when it says that it is ready.
func startService() error {
	unit, err := readUnit()
	if err != nil {
		return err
	}
	environ, err := environment(unit)
	if err != nil {
		return err
	}
	home := filepath.Join("/var/lib", unit["StateDirectory"][0])
	if err := errors.Join(os.MkdirAll(home, 0o700), os.Chown(home, dynamicUser, dynamicUser)); err != nil {
		return err
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	user := strconv.Itoa(dynamicUser)
	command := append([]string{"--reuid=" + user, "--regid=" + user, "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"},
		strings.Fields(unit["ExecStart"][0])...)
	cmd := exec.Command("setpriv", command...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = home, environ, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return startNotified(cmd, unit["UMask"][0])
}

// environment is what a unit says of it, with the credentials where the service can read them.
func environment(unit map[string][]string) ([]string, error) {
	credentials := "/run/credentials/belfry.service"
	if err := errors.Join(os.MkdirAll(credentials, 0o755), os.Chmod(credentials, 0o700), os.Chown(credentials, dynamicUser, dynamicUser)); err != nil {
		return nil, err
	}
	for _, credential := range unit["LoadCredential"] {
		name, from, _ := strings.Cut(credential, ":")
		text, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		to := filepath.Join(credentials, name)
		if err := errors.Join(os.WriteFile(to, text, 0o600), os.Chown(to, dynamicUser, dynamicUser)); err != nil {
			return nil, err
		}
	}
	environ := []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	for _, line := range unit["Environment"] {
		environ = append(environ, strings.Fields(strings.ReplaceAll(line, "%d", credentials))...)
	}
	settings, err := os.ReadFile(unit["EnvironmentFile"][0])
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(settings) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			environ = append(environ, string(line))
		}
	}
	return environ, nil
}

// startNotified starts a process that says on a socket when it is ready.
func startNotified(cmd *exec.Cmd, umask string) error {
	const address = "/run/notify"
	_ = os.Remove(address)
	socket, err := net.ListenPacket("unixgram", address)
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	mask, err := strconv.ParseInt(umask, 8, 32)
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+address)
	if err := errors.Join(os.Chmod(address, 0o777), socket.SetReadDeadline(time.Now().Add(patience))); err != nil {
		return err
	}
	syscall.Umask(int(mask))
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended); _ = socket.SetReadDeadline(time.Now()) }()
	word := make([]byte, 100)
	n, _, err := socket.ReadFrom(word)
	if err != nil || string(word[:n]) != "READY=1" {
		said, _ := os.ReadFile(logFile)
		return fmt.Errorf("it says %q, %w\n%s", word[:n], err, said)
	}
	return os.WriteFile(pidFile, []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
}

// stopService asks the service to end and returns when it has.
func stopService() error {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	if err := errors.Join(syscall.Kill(pid, syscall.SIGTERM), os.Remove(pidFile)); err != nil {
		return err
	}
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for syscall.Kill(pid, 0) == nil {
		select {
		case <-tick.C:
		case <-deadline:
			return errors.New("the service does not end")
		}
	}
	return nil
}
