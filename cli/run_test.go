package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tasks is a server that keeps one task's log as the contract says, and can be made to fail.
type tasks struct {
	mu       sync.Mutex // guards all below
	created  []map[string]any
	keys     map[string]bool
	log      []byte
	appends  int
	finished map[string]any
	away     int  // requests to answer with 503
	lose     int  // appends that are done and not answered
	refuse   bool // every key
	wrote    chan struct{}
}

func newTasks(t *testing.T) (*tasks, shell) {
	t.Helper()
	k := &tasks{keys: map[string]bool{}, wrote: make(chan struct{}, 1000)}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	return k, shell{t, []string{"BELFRY_URL=" + server.URL, "BELFRY_KEY=bfk_x"}}
}

func (k *tasks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	problem := func(status int, more string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status": %d, "title": "No."%s}`, status, more)
	}
	if k.away > 0 || err != nil {
		k.away--
		problem(503, "")
		return
	}
	if k.refuse {
		problem(401, "")
		return
	}
	switch r.URL.Path {
	case "/api/v1/tasks":
		key := r.Header.Get("Idempotency-Key")
		if !k.keys[key] {
			var task map[string]any
			_ = json.Unmarshal(body, &task)
			k.created, k.keys[key] = append(k.created, task), true
		}
		w.WriteHeader(201)
		fmt.Fprint(w, `{"id": 7, "state": "running"}`)
	case "/api/v1/tasks/7/log":
		if r.URL.Query().Get("offset") != strconv.Itoa(len(k.log)) {
			problem(409, fmt.Sprintf(`, "end": %d`, len(k.log)))
			return
		}
		k.log = append(k.log, body...)
		k.appends++
		k.wrote <- struct{}{}
		if k.lose > 0 {
			k.lose--
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, `{"end": %d}`, len(k.log))
	case "/api/v1/tasks/7/finish":
		_ = json.Unmarshal(body, &k.finished)
		fmt.Fprint(w, `{"id": 7}`)
	}
}

func (k *tasks) is(t *testing.T, log, state string, code float64) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if string(k.log) != log || len(k.created) != 1 || k.finished["state"] != state || k.finished["exit_code"] != code {
		t.Errorf("%d created, finished %v with %.200q, want %s %v and %.200q", len(k.created), k.finished, k.log, state, code, log)
	}
}

func TestRun(t *testing.T) {
	k, s := newTasks(t)
	r := s.run("typed\n", "run", "--task", "Deploy", "--to", "anna,bob", "--group", "ops", "--", "sh", "-c", "cat; printf 'out %s' \"$1\"; printf 'err' >&2; exit 3", "--", "-x --y")
	if r.code != 3 || r.out != "typed\nout -x --y" || r.err != "err" {
		t.Errorf("exit %d, %q, %q", r.code, r.out, r.err)
	}
	k.mu.Lock()
	if got := fmt.Sprint(k.created[0]); got != "map[title:Deploy to:map[groups:[ops] users:[anna bob]]]" {
		t.Error(got)
	}
	if len(k.log) != len("typed\nout -x --yerr") || k.finished["state"] != "failed" {
		t.Errorf("%q, %v", k.log, k.finished)
	}
	k.mu.Unlock()

	k, s = newTasks(t)
	if out := s.ok("", "run", "--task", "T", "sh", "-c", "printf 'a\\r\\nb\\377'"); out != "a\r\nb\xff" {
		t.Errorf("%q", out)
	}
	k.is(t, "a\r\nb\xff", "succeeded", 0)
}

func TestRunCannotStart(t *testing.T) {
	for name, tt := range map[string]struct {
		command string
		code    int
	}{"nothing of the name": {"no-such-command-here", exitNotFound}, "no such file": {"/no/such/file", exitNotFound}, "a folder": {"/", exitCannotRun}} {
		k, s := newTasks(t)
		r := s.run("", "run", "--task", "T", "--", tt.command)
		if r.code != tt.code || !strings.HasPrefix(r.err, "belfry: ") {
			t.Errorf("%s: exit %d, %q", name, r.code, r.err)
		}
		k.is(t, r.err, "failed", float64(tt.code))
	}
	_, s := newTasks(t)
	s.refused(exitUsage, "<command>", "", "run", "--task", "T")
	s.refused(exitUsage, "--task", "", "run", "--", "true")
	s.without("BELFRY_KEY").refused(exitUsage, "BELFRY_KEY", "", "run", "--task", "T", "--", "true")
}

// TestRunPassesSignals: the command gets them, and ends as it likes.
func TestRunPassesSignals(t *testing.T) {
	for name, tt := range map[string]struct {
		script, state string
		signal        syscall.Signal
		code          int
	}{
		"stops":             {"printf ready; exec sleep 60", "canceled", syscall.SIGTERM, 143},
		"stops by itself":   {"trap 'printf bye; exit 5' TERM; printf ready; while :; do sleep 0.05; done", "canceled", syscall.SIGTERM, 5},
		"ends well":         {"trap 'exit 0' INT; printf ready; while :; do sleep 0.05; done", "succeeded", syscall.SIGINT, 0},
		"is told something": {"trap 'exit 4' USR1; printf ready; while :; do sleep 0.05; done", "failed", syscall.SIGUSR1, 4},
	} {
		k, s := newTasks(t)
		ended := make(chan result, 1)
		go func() { ended <- s.run("", "run", "--task", "T", "--", "sh", "-c", tt.script) }()
		select {
		case <-k.wrote: // so it is ready
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was written")
		}
		if err := syscall.Kill(os.Getpid(), tt.signal); err != nil {
			t.Fatal(err)
		}
		if r := <-ended; r.code != tt.code {
			t.Errorf("%s: exit %d, want %d: %s", name, r.code, tt.code, r.err)
		}
		k.mu.Lock()
		if k.finished["state"] != tt.state || k.finished["exit_code"] != float64(tt.code) {
			t.Errorf("%s: %v", name, k.finished)
		}
		k.mu.Unlock()
	}
	k, s := newTasks(t)
	if r := s.run("", "run", "--task", "T", "--", "sh", "-c", "kill -SEGV $$"); r.code != 139 {
		t.Errorf("a fault: exit %d", r.code)
	}
	k.is(t, "", "failed", 139)
}

// TestRunGoesOn while the server is away, loses answers or refuses.
func TestRunGoesOn(t *testing.T) {
	k, s := newTasks(t)
	k.away, k.lose = 2, 1
	if out := s.ok("", "run", "--task", "T", "--", "sh", "-c", "printf one; sleep 0.5; printf two"); out != "onetwo" {
		t.Errorf("%q", out)
	}
	k.is(t, "onetwo", "succeeded", 0)

	k, s = newTasks(t)
	k.refuse = true
	r := s.run("", "run", "--task", "T", "--", "sh", "-c", "echo out; exit 3")
	if r.code != 3 || r.out != "out\n" || !strings.Contains(r.err, "not kept") || !strings.Contains(r.err, "belfry key list") {
		t.Errorf("refused: exit %d, %q, %q", r.code, r.out, r.err)
	}
}

// TestRunWithoutAServer ends when the command does, and a little later.
func TestRunWithoutAServer(t *testing.T) {
	s := shell{t, []string{"BELFRY_URL=http://127.0.0.1:1", "BELFRY_KEY=bfk_x"}}
	began := time.Now()
	r := s.run("", "run", "--wait", "500ms", "--task", "T", "--", "sh", "-c", "echo out; exit 3")
	if r.code != 3 || r.out != "out\n" || !strings.Contains(r.err, "not kept") || time.Since(began) > 8*time.Second {
		t.Errorf("exit %d, %q, %q after %v", r.code, r.out, r.err, time.Since(began))
	}
}

// TestSpool drops what does not fit, and the log says how much and where.
func TestSpool(t *testing.T) {
	s := newSpool()
	big := strings.Repeat("x", spoolLimit-2)
	for _, text := range []string{big, "abcd", "efg"} {
		if n, err := s.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	text, over := s.take()
	if want := big + "ab\n[5 bytes of output are missing here: the server was away]\n"; string(text) != want || over {
		t.Errorf("%d bytes, %q, over %v", len(text), text[len(big):], over)
	}
	_, _ = s.Write([]byte("after"))
	s.end()
	if text, over := s.take(); string(text) != "after" || !over || s.dropped() != 5 {
		t.Errorf("%q, %v, %d dropped", text, over, s.dropped())
	}
}
