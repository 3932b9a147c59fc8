package cli

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"belfry/client"
	"belfry/config"
)

// The exit codes of a command that could not be run or was ended by a signal, as shells have them.
const (
	exitCannotRun = 126
	exitNotFound  = 127
	exitSignal    = 128 // and the signal's number
)

type runCmd struct {
	recipients
	Wait time.Duration `default:"10s" placeholder:"D" help:"How long to wait for the server when CMD has ended (${default})."`

	Task    string   `required:"" placeholder:"TITLE" help:"What people see, 1 to 200 characters."`
	Command []string `arg:"" passthrough:"" placeholder:"CMD" help:"The command and its arguments, after --."`
}

func (runCmd) Help() string {
	return `Runs CMD, and keeps what it writes as the log of a task, through BELFRY_URL with BELFRY_KEY (scope tasks:write). People it is for can watch it grow. The output is shown here too; standard input and signals go to CMD. The command runs all the same while the server is away: 8 MiB of output wait for it, and what does not fit is left out of the log, which says so.

Exit: that of CMD; 126 it cannot be run, 127 there is none of this name, 128 + N it was ended by signal N; 2 usage.`
}

// exitCode ends us with the code of another, without a word.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (c *runCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	args := c.Command
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return usageError("what to run? belfry run --task TITLE -- CMD…")
	}
	server, err := serverOf(s)
	if err != nil {
		return err
	}
	// A signal ends the command, and not what is to be told about that.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	output := newSpool()
	log := &taskLog{server: server, spool: output}
	var ended outcome
	kept := make(chan error, 1)
	task := client.NewTask{Title: c.Task, To: c.to(), IdempotencyKey: cryptorand.Text()}
	go func() {
		err := log.follow(ctx, task, func() (string, int64) { return ended.state(), int64(ended.code) })
		if err != nil && !client.Temporary(err) && ctx.Err() == nil {
			fmt.Fprintln(term.err, "belfry: the output is not kept:", describe(refused(err, "tasks:write")))
			err = nil // it was told when it could still be of use
		}
		kept <- err
	}()
	ended = execute(ctx, args, term, output)
	output.end() // and only now is ended read
	limit := time.AfterFunc(max(c.Wait, 0), cancel)
	defer limit.Stop()
	switch err, n := <-kept, output.dropped(); {
	case err != nil && log.task == 0:
		fmt.Fprintln(term.err, "belfry: the output is not kept:", describe(err))
	case err != nil:
		fmt.Fprintln(term.err, "belfry: the log is not whole, and the task looks as if it ran:", describe(err))
	case n > 0:
		fmt.Fprintf(term.err, "belfry: %d bytes of output are not in the log: the server was away for too long\n", n)
	}
	if ended.code == 0 {
		return nil
	}
	return exitCode(ended.code)
}

// outcome is how a command ended.
type outcome struct {
	code    int
	stopped bool // we or it were told to stop
}

func (o outcome) state() string {
	switch {
	case o.code == 0:
		return client.TaskSucceeded
	case o.stopped:
		return client.TaskCanceled
	}
	return client.TaskFailed
}

// execute runs a command to its end, with our input, output and signals.
func execute(ctx context.Context, args []string, term *console, log io.Writer) outcome {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // to run what the caller names is what it is for
	cmd.Stdin = term.in
	cmd.Stdout, cmd.Stderr = io.MultiWriter(log, term.out), io.MultiWriter(log, term.err)
	cmd.WaitDelay = time.Second // for input of ours that nobody ends
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(io.MultiWriter(log, term.err), "belfry:", oneLine(err.Error()))
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return outcome{code: exitNotFound}
		}
		return outcome{code: exitCannotRun}
	}
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		_ = cmd.Wait() // the state says it
	}()
	_, atTerminal := term.terminal()
	told := false
	for {
		select {
		case s := <-signals:
			told = told || stops(s)
			if atTerminal && (s == os.Interrupt || s == syscall.SIGQUIT) {
				continue // the terminal has sent it to the command too
			}
			_ = cmd.Process.Signal(s) // it may be gone already
		case <-waited:
			return ending(cmd.ProcessState, told)
		}
	}
}

// ending reads a process's state.
func ending(state *os.ProcessState, told bool) outcome {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return outcome{exitSignal + int(status.Signal()), told || stops(status.Signal())}
	}
	return outcome{state.ExitCode(), told}
}

// passedOn are the signals that go on to the command.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

// stops reports whether a signal asks for an end, as people and service managers do. Others are faults.
func stops(s os.Signal) bool {
	return s == os.Interrupt || s == syscall.SIGTERM || s == syscall.SIGHUP || s == syscall.SIGQUIT
}
