package hashing

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"sync"

	"github.com/alexedwards/argon2id"
)

// Process is the process that hashes. With a nil one it is done here, by whoever calls.
type Process struct {
	program string
	log     *slog.Logger

	mu      sync.Mutex
	client  *rpc.Client // nil = none runs
	process *os.Process
	ended   chan struct{} // closed when process is gone
	closed  bool
}

// Start starts a program to hash, to be called with [Argument]. It is started anew should it ever end.
func Start(program string, log *slog.Logger) (*Process, error) {
	p := &Process{program: program, log: log}
	if _, err := p.running(); err != nil {
		return nil, err
	}
	return p, nil
}

// Create gives the hash of a password.
func (p *Process) Create(password string, params argon2id.Params) (hash string, err error) {
	return ask(p, create, service{}.Create, Creation{password, params})
}

// Fits reports whether the password is the one behind a hash.
func (p *Process) Fits(password, hash string) (bool, error) {
	return ask(p, compare, service{}.Compare, Comparison{password, hash})
}

// Close has the process end, and waits until it has. What is under way is lost.
func (p *Process) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.client != nil {
		_ = p.client.Close()
		<-p.ended
	}
}

func ask[In, Out any](p *Process, method string, here func(In, *Out) error, in In) (out Out, err error) {
	if p == nil {
		return out, here(in, &out)
	}
	client, err := p.running()
	if err != nil {
		return out, err
	}
	err = client.Call(method, in, &out)
	if unanswered(err) { // the process may have ended long ago, and it is found now
		if client, err = p.after(client); err == nil {
			err = client.Call(method, in, &out)
		}
	}
	return out, err
}

// unanswered reports whether there was no answer; one that is an error was one.
func unanswered(err error) bool {
	_, answered := errors.AsType[rpc.ServerError](err)
	return err != nil && !answered
}

// running gives the process that runs.
func (p *Process) running() (*rpc.Client, error) { return p.after(nil) }

// after gives the process that came after one that has ended.
func (p *Process) after(lost *rpc.Client) (*rpc.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, rpc.ErrShutdown
	}
	if p.client != nil && p.client != lost {
		return p.client, nil
	}
	if lost != nil {
		_ = lost.Close()
		p.log.Warn("the process that hashes passwords has ended; another one is started")
	}
	client, err := p.start()
	p.client = client
	return client, err
}

// start is for who holds p.mu.
func (p *Process) start() (*rpc.Client, error) {
	cmd := &exec.Cmd{Path: p.program, Args: []string{"belfry", Argument}, Env: []string{}, Stderr: os.Stderr} // settings are none of its business
	apart(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("a process that hashes passwords cannot be started: %w", err)
	}
	if err := giveWay(cmd.Process.Pid); err != nil {
		p.log.Warn("passwords are hashed at the server's own priority", "error", err)
	}
	gone := make(chan struct{})
	go func() {
		_ = cmd.Wait() // why it ended its own output tells
		close(gone)
	}()
	p.process, p.ended = cmd.Process, gone
	return rpc.NewClient(&pipe{Reader: out, Writer: in, closing: []io.Closer{in, out}}), nil
}
