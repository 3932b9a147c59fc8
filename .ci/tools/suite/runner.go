package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// partLimit ends a part that hangs, well before the build server would end it all.
	partLimit = 15 * time.Minute
	// graceAfterKill is how long output may still come from what a killed part has left.
	graceAfterKill = 5 * time.Second
	// reportArgument stands in a command for the path that a runner is to write its report to.
	reportArgument = "{report}"
)

// tally is what a runner of tests reports.
type tally struct {
	passed, failed, skipped int
	names                   []string // of the tests that failed, or passed only when run again
	final                   bool     // what failed is not to be run again
}

// passedAgain marks the name of a test that passed only when run again.
const passedAgain = " (passed when run again)"

func (t *tally) fail(name string) {
	t.failed++
	t.names = append(t.names, name)
}

// result is a tally with what the suite itself has to say about the part.
type result struct {
	name           string
	passed, failed int
	took           time.Duration
	cpu            time.Duration // of all processes it waited for; tells a slow part from a busy machine
	note           string
	names          []string
}

// reader counts the tests of a part: stdout yields what the command prints, for it to show on
// screen what a person wants to see; after its end, the file report holds the runner's own report.
type reader func(stdout io.Reader, screen io.Writer, report string) (tally, error)

// rerun makes of a part's command the one that runs the named tests alone; nil if there is none.
type rerun func(command, failed []string) []string

type runner struct {
	root, out string
	screen    io.Writer
}

// runAll runs the parts one after the other, but for those that run beside the one before them.
func (r runner) runAll(ctx context.Context, parts []part) (results []result) {
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].beside {
			n++
		}
		results = append(results, r.runTogether(ctx, parts[:n])...)
		parts = parts[n:]
	}
	return results
}

// runTogether shows what the first part prints as it comes, and what the others have printed when all are through.
func (r runner) runTogether(ctx context.Context, parts []part) []result {
	results := make([]result, len(parts))
	var others sync.WaitGroup
	for i, p := range parts[1:] {
		screen, err := os.Create(filepath.Join(r.out, p.name+".screen"))
		if err != nil {
			results[i+1] = result{name: p.name, failed: 1, note: err.Error()}
			continue
		}
		defer func() {
			_, _ = screen.Seek(0, io.SeekStart)
			_, _ = io.Copy(r.screen, screen)
			_ = screen.Close()
		}()
		others.Go(func() { results[i+1] = runner{r.root, r.out, screen}.run(ctx, p) })
	}
	results[0] = r.run(ctx, parts[0])
	others.Wait()
	return results
}

// run runs one part to its end, or to the limit.
func (r runner) run(ctx context.Context, p part) result {
	fmt.Fprintf(r.screen, "\n== %s: %s\n", p.name, strings.Join(p.command, " "))
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, partLimit)
	defer cancel()
	counted, cpu, err := r.execute(ctx, p)
	if p.again != nil && err != nil && counted.failed > 0 && counted.failed <= mostFlaky && !counted.final {
		counted, err = r.again(ctx, p, counted, err)
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("ended after %v: %w", time.Since(began).Round(time.Second), ctx.Err())
	}
	verdict := judge(p, counted, err)
	verdict.took, verdict.cpu = time.Since(began), cpu
	if verdict.note != "" {
		fmt.Fprintf(r.screen, "== %s: %s\n", p.name, verdict.note)
	}
	return verdict
}

// again runs the few tests that failed a second time, alone. They passed if they pass now, and are named: on a machine
// that others share, one of two thousand tests now and then waits longer than any bound that still says something.
func (r runner) again(ctx context.Context, p part, counted tally, err error) (tally, error) {
	failed := counted.names
	if p.command = p.again(p.command, failed); p.command == nil {
		return counted, err
	}
	p.name += "-again"
	fmt.Fprintf(r.screen, "\n== %s: %s\n", p.name, strings.Join(p.command, " "))
	second, _, failure := r.execute(ctx, p)
	if failure != nil || second.failed+second.skipped > 0 || second.passed == 0 {
		return counted, err
	}
	counted.passed, counted.failed, counted.names = counted.passed+counted.failed, 0, nil
	for _, name := range failed {
		counted.names = append(counted.names, name+passedAgain)
	}
	return counted, nil
}

// judge turns a tally and the way the command ended into a result. Nothing that went wrong may
// come out as zero failed.
func judge(p part, counted tally, err error) result {
	if p.read == nil && err == nil {
		counted.passed = 1
	}
	verdict := result{name: p.name, passed: counted.passed, failed: counted.failed, names: counted.names}
	switch {
	case counted.skipped > 0:
		verdict.failed += counted.skipped
		verdict.note = fmt.Sprintf("%d skipped", counted.skipped)
	case err != nil && counted.failed == 0:
		verdict.failed = 1
		verdict.note = err.Error()
	case counted.passed+counted.failed == 0:
		verdict.failed = 1
		verdict.note = "ran no test"
	}
	return verdict
}

// execute runs the command in a process group of its own, which is killed as a whole when the
// context ends, and hands its standard output to the part's reader.
func (r runner) execute(ctx context.Context, p part) (counted tally, cpu time.Duration, err error) {
	log, err := os.Create(filepath.Join(r.out, p.name+".log"))
	if err != nil {
		return tally{}, 0, err
	}
	defer func() { _ = log.Close() }()
	report := filepath.Join(r.out, p.name+".json")
	cmd := r.command(ctx, p, report)
	defer func() {
		if ended := cmd.ProcessState; ended != nil {
			cpu = ended.UserTime() + ended.SystemTime()
		}
	}()
	cmd.Stderr = io.MultiWriter(r.screen, log)
	if p.read == nil {
		cmd.Stdout = cmd.Stderr
		return tally{}, 0, cmd.Run()
	}
	output, feed := io.Pipe()
	cmd.Stdout = io.MultiWriter(feed, log)
	if err := cmd.Start(); err != nil {
		return tally{}, 0, err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		_ = feed.Close()
	}()
	counted, err = p.read(output, r.screen, report)
	_, _ = io.Copy(io.Discard, output) // a reader that gave up must not block the command
	if failed := <-ended; err == nil {
		err = failed
	}
	return counted, 0, err
}

func (r runner) command(ctx context.Context, p part, report string) *exec.Cmd {
	arguments := make([]string, len(p.command))
	for i, argument := range p.command {
		arguments[i] = strings.ReplaceAll(argument, reportArgument, report)
	}
	cmd := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	cmd.Dir = filepath.Join(r.root, p.dir)
	// All that read the code compile it as "make build" does, so that it is done once.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath", "REQUIRE_PG=1",
		"TEST_REPORTS="+filepath.Join(r.out, "reports"), "PLAYWRIGHT_JSON_OUTPUT_FILE="+report)
	cmd.Env = append(cmd.Env, p.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = graceAfterKill
	return cmd
}
