package testpg

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	pingEvery    = 50 * time.Millisecond
	// Both are short, for a socket's path may have about 107 bytes.
	onDisk   = "/tmp/belfry-pg-"
	inMemory = "/dev/shm/belfry-pg-"
)

// throwaway trades every guarantee of durability for speed: data that a test makes is not kept. The log is kept small, for
// it may lie in memory.
var throwaway = []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "max_wal_size=128MB"}

// leastMemory is what has to be free in memory for a server to lie there, in bytes: thirty times what the HTTP tests take, for
// the tests of several packages run at once, and a few of them fill a log.
const leastMemory = 4 << 30

// placeOfThrowaway is where the directory of a server is made whose data is not kept: in memory, where there is room. To
// copy the template takes the kernel a seventh of the time there, and there are a thousand copies.
func placeOfThrowaway() string {
	var fs syscall.Statfs_t
	if syscall.Statfs(filepath.Dir(inMemory), &fs) != nil || fs.Bavail*uint64(fs.Bsize) < leastMemory { //nolint:gosec // sizes are positive
		return onDisk
	}
	return inMemory
}

// Cluster is a private PostgreSQL server that a test may stop, kill and start again. Its port
// stays the same. The methods may be called from any goroutine.
type Cluster struct {
	place    string // where dir is made: its path, but for a random end
	dir      string
	lock     *os.File // holds the flock that tells sweep the directory is in use
	bin      string
	settings []string
	owner    *syscall.Credential // nil: run as oneself
	port     int
	mounted  bool // the data directory is a file system of its own

	mu      sync.Mutex
	process *os.Process   // nil while stopped
	exited  chan struct{} // closed when process has ended
}

// NewCluster starts a server that keeps what it has acknowledged (fsync is on), for tests that
// break it on purpose. Each setting is "name=value". It is stopped and removed with the test.
func NewCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	return testCluster(t, settings, (*Cluster).initialise)
}

// testCluster starts a server whose data directory fill makes, and removes it with the test.
func testCluster(t testing.TB, settings []string, fill func(*Cluster) error) *Cluster {
	t.Helper()
	cluster, err := newCluster(onDisk, settings, fill)
	skipOrFail(t, err)
	t.Cleanup(func() {
		if err := cluster.remove(); err != nil {
			t.Errorf("testpg: %v", err)
		}
	})
	return cluster
}

func newCluster(place string, settings []string, fill func(*Cluster) error) (*Cluster, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	sweep()
	c := &Cluster{place: place, bin: bin, settings: settings}
	if c.owner, err = unprivileged(); err != nil {
		return nil, err
	}
	if err := c.prepare(fill); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	// Between finding a free port and taking it another process may be faster.
	for range 3 {
		if c.port, err = freePort(); err != nil {
			break
		}
		if err = c.Start(); err == nil {
			return c, nil
		}
	}
	return nil, errors.Join(err, c.remove())
}

// DSN names the server's own database "postgres".
func (c *Cluster) DSN() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", c.port)
}

// Start starts the server and returns when it answers queries.
func (c *Cluster) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running() {
		return errors.New("start PostgreSQL: it is running")
	}
	args := []string{"-D", c.data(), "-k", c.dir, "-p", strconv.Itoa(c.port), "-c", "listen_addresses=127.0.0.1"}
	for _, setting := range c.settings {
		args = append(args, "-c", setting)
	}
	if err := c.launch(c.command("postgres", args...)); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := c.await(); err != nil {
		_ = c.end(syscall.SIGKILL)
		return fmt.Errorf("start PostgreSQL: %w\n%s", err, c.logTail())
	}
	return nil
}

// Running reports whether the server has been started and has not ended, by itself or otherwise.
func (c *Cluster) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running()
}

func (c *Cluster) running() bool {
	if c.process == nil {
		return false
	}
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// Stop ends the server in good order: clients are cut off and all is written ("fast").
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(syscall.SIGINT)
}

// Abort ends the server at once ("immediate"): nothing is written, and Start recovers from the log.
func (c *Cluster) Abort() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(syscall.SIGQUIT)
}

// Kill ends every process of the server with SIGKILL, as a crash of the machine would, except
// that what was handed to the kernel is not lost. Start then recovers from the log.
func (c *Cluster) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(syscall.SIGKILL)
}

// end signals the server and waits until it is gone; a stopped server is left alone.
func (c *Cluster) end(signal syscall.Signal) error {
	if c.process == nil {
		return nil
	}
	if signal == syscall.SIGKILL {
		// Orphans would go on to the end of what they are doing, and keep the shared memory
		// that the next start needs.
		for _, child := range children(c.process.Pid) {
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
	}
	if err := c.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	select {
	case <-c.exited:
	case <-time.After(stopTimeout):
		_ = c.process.Kill()
		<-c.exited
		c.process = nil
		return fmt.Errorf("stop PostgreSQL: still there %v after %v", stopTimeout, signal)
	}
	c.process = nil
	return nil
}

// remove stops the server for good and deletes its files.
func (c *Cluster) remove() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.end(syscall.SIGQUIT)
	if c.dir == "" {
		return err
	}
	if c.mounted {
		err = errors.Join(err, syscall.Unmount(c.data(), 0))
	}
	return errors.Join(err, os.RemoveAll(c.dir), c.lock.Close())
}

// prepare makes the server's own directory, and has the data directory made in it.
func (c *Cluster) prepare(fill func(*Cluster) error) error {
	dir, err := os.MkdirTemp(filepath.Split(c.place))
	if err != nil {
		return err
	}
	if c.lock, err = lockDir(dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	c.dir = dir
	if c.owner != nil {
		if err := os.Chown(dir, int(c.owner.Uid), int(c.owner.Gid)); err != nil {
			return err
		}
	}
	return fill(c)
}

// initialise makes an empty data directory.
func (c *Cluster) initialise() error {
	return run(c.command("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8",
		"--locale=C.UTF-8", "--no-sync", "--no-instructions"))
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}

func (c *Cluster) data() string    { return filepath.Join(c.dir, "data") }
func (c *Cluster) logFile() string { return filepath.Join(c.dir, "log") }

// command runs a program of PostgreSQL from its own directory, for root's may be unreadable to
// its user. The kernel ends it when the tests end, in whatever way they do.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(c.bin, name), args...) //nolint:gosec // PostgreSQL's own programs
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: c.owner}
	return cmd
}

// launch starts the server and watches for its end.
func (c *Cluster) launch(cmd *exec.Cmd) error {
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		// The death signal follows the thread that started the process, not the program: this
		// one must live as long as the server.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		defer func() { _ = log.Close() }()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // however it ended, it has ended
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	c.process, c.exited = cmd.Process, exited
	return nil
}

// await returns when the server answers, or says why it never will.
func (c *Cluster) await() error {
	db, err := sql.Open("pgx", c.DSN())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-c.exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("no answer after %v: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}

func (c *Cluster) logTail() string {
	const keep = 4 << 10
	log, err := os.ReadFile(c.logFile())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(log[max(0, len(log)-keep):]))
}

// unprivileged names the user to run as, since PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
	}
	return nil, errors.New("run PostgreSQL as root: there is no user postgres or nobody to run it as")
}

// findBinaries returns the folder that holds postgres and initdb.
func findBinaries() (string, error) {
	if bin := os.Getenv("PG_BIN"); bin != "" {
		return bin, nil
	}
	newest, version := "", 0
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	for _, path := range found {
		bin := filepath.Dir(path)
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && v > version {
			newest, version = bin, v
		}
	}
	if newest != "" {
		return newest, nil
	}
	out, err := exec.CommandContext(context.Background(), "pg_config", "--bindir").Output()
	if bin := strings.TrimSpace(string(out)); err == nil {
		if _, err := os.Stat(filepath.Join(bin, "postgres")); err == nil {
			return bin, nil
		}
	}
	return "", errMissing
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing here can block
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// children lists the processes that pid has started.
func children(pid int) []int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for field := range strings.FieldsSeq(string(list)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}
