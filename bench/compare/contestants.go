package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/generator"
	"belfry/bench/server"
)

// contestant is a server that is measured.
type contestant struct {
	name    string
	start   func(r *run1, s shape) *site
	belfry  bool
	resumes bool // a stream that comes back is sent what it missed
}

// shape is what a scenario needs of a server.
type shape struct {
	streams  int
	people   int  // Belfry: where there are more than streams
	together bool // all streams are of one audience; else each is of its own
	everyone bool // Belfry: that audience is everyone, not a group
	mixed    bool // audience 0 is all streams, 1 and on are each stream's own
	signIn   bool // people have a password
	groups   int  // Belfry: that each person is in; 0 = one
	log      bool // Belfry: there is a log already, rows and the newest
	rows     int
	counted  bool // PostgreSQL counts what Belfry asks it
	settings []string
	lastSeen func(stream int) time.Time // Belfry: when the stream's session was last active; nil = now
}

func (s shape) audiences() int {
	switch {
	case s.together:
		return 1
	case s.mixed:
		return 1 + s.streams
	}
	return s.streams
}

// everybody is how many people there are.
func (s shape) everybody() int { return max(s.streams, s.people) }

// audience is that of a stream.
func (s shape) audience(stream int) int {
	if s.together {
		return 0
	}
	return stream
}

// site is a server that runs, and how to speak to it.
type site struct {
	address string
	begins  string // the event that says that a stream is live; empty: the head of the answer does
	head    func(b []byte, stream int, lastID []byte) []byte
	request func(b []byte, messages []generator.Message) []byte
	batch   func(b []byte, messages []generator.Message) []byte // Belfry

	pid      int
	database int         // PostgreSQL's, or 0
	belfry   *crowd.Site // nil: it is none
}

// run1 is one measurement.
type run1 struct {
	t        testing.TB
	name     string // of files
	options  *options
	template *template
	slices   []map[string]float64 // what was measured, where that is more than once
}

func contestants() []*contestant {
	return []*contestant{
		rivalNamed("raw1", false),
		{name: "nchan", start: startNchan, resumes: true},
		rivalNamed("nethttp", false),
		rivalNamed("gin", false),
		rivalNamed("gosse", true),
		rivalNamed("r3labs", true),
		rivalNamed("centrifuge", false), // its clients send their position in a way of its own
		rivalNamed("mercure", false),
		rivalNamed("mercure-bolt", true),
		{name: "belfry-postgres", start: (&belfry{}).start, belfry: true, resumes: true},
		{name: "belfry-sqlite", start: (&belfry{sqlite: true}).start, belfry: true, resumes: true},
	}
}

func contestantNamed(name string) *contestant {
	for _, c := range contestants() {
		if c.name == name {
			return c
		}
	}
	return nil
}

func serverNames() (names []string) {
	for _, c := range contestants() {
		names = append(names, c.name)
	}
	return names
}

const (
	startTimeout = 20 * time.Second
	lookEvery    = 5 * time.Millisecond
)

func rivalNamed(name string, resumes bool) *contestant {
	return &contestant{name: name, resumes: resumes, start: func(r *run1, _ shape) *site {
		binary, err := rivalsBinary()
		if err != nil {
			r.t.Fatal(err)
		}
		address := server.FreeAddress(r.t)
		cmd := exec.CommandContext(context.Background(), binary, "-listen", address, "-folder", r.t.TempDir(),
			fmt.Sprintf("-chunked=%v", r.template.chunked), name)
		content := r.template.data
		if name == "raw1" {
			content = r.template.frame
		}
		return plainSite(address, launch(r.t, cmd, address, syscall.SIGKILL), content)
	}}
}

// launch starts a server and returns when it takes connections. It ends with the measurement.
func launch(t testing.TB, cmd *exec.Cmd, address string, end syscall.Signal) (pid int) {
	t.Helper()
	cmd.Stderr = os.Stderr
	process, err := server.Start(cmd, end)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Signal(end)
		if err := process.Await(startTimeout); err != nil {
			t.Error(err)
			process.Kill()
		}
	})
	deadline, tick := time.After(startTimeout), time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
			return process.PID()
		}
		select {
		case <-tick.C:
		case <-process.Exited():
			t.Fatalf("%s ended before it took a connection", cmd.Path)
		case <-deadline:
			t.Fatal(err)
		}
	}
}

// plainSite speaks the small language of the rivals.
func plainSite(address string, pid int, content text) *site {
	var body []byte
	return &site{address: address, pid: pid,
		head: func(b []byte, stream int, lastID []byte) []byte { return plainHead(b, address, stream, lastID) },
		request: func(b []byte, m []generator.Message) []byte {
			body = content.with(body[:0], m[0].Mark)
			b = fmt.Appendf(b, "POST /publish?topic=t%d HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", m[0].To, address, len(body))
			return append(b, body...)
		}}
}

func plainHead(b []byte, address string, topic int, lastID []byte) []byte {
	b = fmt.Appendf(b, "GET /stream?topic=t%d HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n", topic, address)
	if len(lastID) > 0 {
		b = fmt.Appendf(b, "Last-Event-ID: %s\r\n", lastID)
	}
	return append(b, "\r\n"...)
}

// rivalsProgram is built once, for all measurements. It is package state for the same reason as Belfry's is.
var rivalsProgram struct {
	once sync.Once
	dir  string
	err  error
}

func rivalsBinary() (string, error) {
	p := &rivalsProgram
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "belfry-rivals-"); p.err != nil {
			return
		}
		// By its import path, which the module knows; what the compiler knows of the sources' place is no path with -trimpath.
		build := exec.CommandContext(context.Background(), "go", "build", "-o", p.dir, "belfry/bench/rivals")
		if out, err := build.CombinedOutput(); err != nil {
			p.err = fmt.Errorf("build the rivals: %w\n%s", err, out)
		}
	})
	return filepath.Join(p.dir, "rivals"), p.err
}

func removeRivals() {
	if rivalsProgram.dir != "" {
		_ = os.RemoveAll(rivalsProgram.dir)
	}
}
