// Command suite runs all parts of the test suite, prints what each came to, and ends with the
// line "N passed, N failed" over all of them. Its arguments name the parts to run; none means all.
//
// A runner of tests counts for as many as it ran, any other command for one. A part that ran no
// test, could not start, skipped a test or ended with a fault that no test shows counts as failed.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// part is one command of the suite.
type part struct {
	name    string
	dir     string // from the top of the repository
	env     []string
	command []string
	read    reader // counts the tests; nil for a command that is one check
	beside  bool   // runs together with the part before it: both mostly wait
	again   rerun  // runs the tests that failed once more; nil where a failure is final, or the runner does so itself
}

// parts lists the suite in the order it runs: what later parts need first, then the quick ones.
func parts(root string) []part {
	binary := "BELFRY_BIN=" + filepath.Join(root, "bin/belfry")
	lint := filepath.Join(root, ".ci/bin", "golangci-lint-"+os.Getenv("GOLANGCI_VERSION"))
	gofmt := `out=$(find . -name node_modules -prune -o -name '*.go' -exec gofmt -d {} +); echo "$out"; test -z "$out"`
	const plain = "NO_COLOR=1" // where CI is set these take the log for a terminal
	// As the program is built: on a machine with nothing in its cache all that it consists of would be compiled once more, for
	// a minute and a half.
	pure, trimmed := "CGO_ENABLED=0", "GOFLAGS=-trimpath "+os.Getenv("GOFLAGS")
	return []part{
		{name: "install", command: []string{"make", "--no-print-directory", "-j4", "-Otarget", "test-deps"}},
		{name: "build", env: []string{plain}, command: []string{"make", "--no-print-directory", "build"}},
		{name: "gofmt", command: []string{"bash", "-c", gofmt}},
		{name: "tidy", command: []string{"go", "mod", "tidy", "-diff"}},
		{name: "tidy-tools", dir: ".ci/tools", command: []string{"go", "mod", "tidy", "-diff"}},
		{name: "tidy-bench", dir: "bench", command: []string{"go", "mod", "tidy", "-diff"}},
		{name: "lint", env: []string{pure, trimmed}, command: []string{lint, "run", "./..."}},
		{name: "lint-tools", dir: ".ci/tools", env: []string{pure, trimmed}, command: []string{lint, "run", "./..."}},
		{name: "lint-bench", dir: "bench", env: []string{pure, trimmed}, command: []string{lint, "run", "./..."}},
		{name: "web-lint", dir: "web", command: []string{"npm", "run", "lint"}},
		{name: "web-types", dir: "web", command: []string{"npm", "run", "typecheck"}},
		{name: "web-format", dir: "web", command: []string{"npm", "run", "format:check"}},
		{name: "vitest", dir: "web", read: readVitest, env: []string{plain},
			command: []string{"npm", "test", "--", "--reporter=default", "--reporter=json", "--outputFile.json=" + reportArgument}},
		{name: "tools", beside: true, dir: ".ci/tools", read: readGo, env: []string{binary, pure, trimmed, "GOLANGCI_LINT=" + lint},
			command: []string{"go", "test", "-vet=off", "-count=1", "-json", "./..."}, again: goAgain},
		// The race detector is written in C. What it need not look into is SQLite, translated to Go: with it, tests on SQLite take
		// six times as long, for races that are not ours. No other package may be left out: what is inlined into one, or a
		// generic function that it shares with others, then synchronises unseen, and races are told that there are not.
		// Four tests at a time on two processors: a third of the time they wait, for a clock or for a database.
		{name: "go", read: readGo, env: []string{binary, "CGO_ENABLED=1"},
			command: []string{"go", "test", "-race", "-gcflags=modernc.org/sqlite/lib=-race=false", "-gcflags=modernc.org/libc=-race=false",
				"-vet=off", "-count=1", "-timeout=14m", "-parallel=4", "-json", "./..."}, again: goAgain},
		{name: "e2e", dir: "web", read: readPlaywright, env: []string{binary},
			command: []string{"npm", "run", "e2e", "--", "--reporter=list,json"}},
		{name: "e2e-nginx", dir: "web", read: readPlaywright, env: []string{binary, "BELFRY_E2E_VIA=nginx"},
			command: []string{"npm", "run", "e2e", "--", "--reporter=list,json"}},
		// Two packages at a time, the longest first: they mostly wait for what they have started. Nothing is measured here.
		{name: "bench", beside: true, dir: "bench", read: readGo, env: []string{binary, pure, trimmed},
			command: []string{"go", "test", "-p=2", "-vet=off", "-count=1", "-timeout=14m", "-json", "./faults", "./..."}, again: goAgain},
	}
}

func main() { os.Exit(run(os.Args[1:])) }

func run(names []string) int {
	root, err := filepath.Abs("../..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	chosen, err := choose(parts(root), names)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	out := filepath.Join(root, ".ci/out")
	if err := fresh(out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	results := runner{root: root, out: out, screen: os.Stdout}.runAll(ctx, chosen)
	printReports(os.Stdout, filepath.Join(out, "reports"))
	return printTally(os.Stdout, results)
}

// choose picks the named parts in the order of the suite.
func choose(all []part, names []string) ([]part, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []part
	var known []string
	for _, p := range all {
		known = append(known, p.name)
		if slices.Contains(names, p.name) {
			chosen = append(chosen, p)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no part %q; there are: %s", name, strings.Join(known, " "))
		}
	}
	return chosen, nil
}

// fresh empties the folder for logs, so that nothing of an earlier run is read as this one's.
func fresh(out string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(out, "reports"), 0o755)
}

// printReports shows the tables that tests left in TEST_REPORTS: what they measured.
func printReports(w io.Writer, dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			fmt.Fprintf(w, "\n%s\n%s\n", filepath.Base(file), strings.TrimRight(string(text), "\n"))
		}
	}
}

// printTally prints a line for each part, then the sum alone on the last line.
func printTally(w io.Writer, results []result) (exitCode int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.TabIndent)
	fmt.Fprintf(table, "\npart\tpassed\tfailed\tseconds\tof CPU\t\n")
	var passed, failed int
	var took, cpu time.Duration
	for _, r := range results {
		passed, failed, took, cpu = passed+r.passed, failed+r.failed, took+r.took, cpu+r.cpu
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f\t%.1f\t  %s\n", r.name, r.passed, r.failed, r.took.Seconds(), r.cpu.Seconds(), r.note)
	}
	fmt.Fprintf(table, "all\t%d\t%d\t%.1f\t%.1f\t\n", passed, failed, took.Seconds(), cpu.Seconds())
	_ = table.Flush()
	// Last, where even a build server that shows no more than the end shows them.
	for _, r := range results {
		for _, name := range r.names {
			fmt.Fprintf(w, "\n%s: %s", r.name, name)
		}
	}
	fmt.Fprintf(w, "\n%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		return 1
	}
	return 0
}
