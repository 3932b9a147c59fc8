package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// mostFlaky is how many tests of a part may pass only when run again. Each is named at the
// end; more of them are no accident of a busy machine.
const mostFlaky = 2

// goEvent is a line of "go test -json".
type goEvent struct {
	Action, Package, Test, Output string
}

// raceFound is what package testing says of a test during which the race detector spoke up.
const raceFound = "race detected during execution of test"

// goPackage gathers what the tests of one package did.
type goPackage struct {
	verdicts map[string]string // by test: pass, fail or skip
	output   map[string]string // of tests that have not passed yet
	failed   bool
	raced    bool
}

// readGo counts the leaves among the tests, for a test with subtests says no more than they do,
// unless it failed and none of them did. So does a package: one that does not build, or
// whose TestMain objects, counts as one failed.
func readGo(stdout io.Reader, screen io.Writer, _ string) (tally, error) {
	packages := map[string]*goPackage{}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && len(line) == 0 {
			break
		}
		var event goEvent
		if json.Unmarshal(line, &event) != nil {
			fmt.Fprint(screen, string(line)) // a message of the go command itself
			continue
		}
		if event.Package == "" {
			fmt.Fprint(screen, event.Output) // of the compiler
			continue
		}
		p := packages[event.Package]
		if p == nil {
			p = &goPackage{verdicts: map[string]string{}, output: map[string]string{}}
			packages[event.Package] = p
		}
		p.note(event, screen)
	}
	var sum tally
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		packages[name].add(name, &sum)
		sum.final = sum.final || packages[name].raced // a race that does not show twice is one all the same
	}
	return sum, nil
}

// goAgain runs the tests that hold the failed ones, and no others. A package that failed as a whole has none.
func goAgain(command, failed []string) []string {
	packages, tests := map[string]bool{}, map[string]bool{}
	for _, name := range failed {
		path, test, named := strings.Cut(name, " ")
		if !named {
			return nil
		}
		top, _, _ := strings.Cut(test, "/")
		packages[path], tests[top] = true, true
	}
	run := "-run=^(" + strings.Join(slices.Sorted(maps.Keys(tests)), "|") + ")$"
	first := slices.IndexFunc(command, func(argument string) bool { return strings.HasPrefix(argument, "./") })
	return slices.Concat(command[:first], []string{run}, slices.Sorted(maps.Keys(packages)))
}

// note takes in one event. Of a package its last words are shown, of a test only what it said
// before it failed.
func (p *goPackage) note(event goEvent, screen io.Writer) {
	switch event.Action {
	case "output":
		if event.Test != "" {
			p.output[event.Test] += event.Output
			p.raced = p.raced || strings.Contains(event.Output, raceFound)
		} else if event.Output != "PASS\n" {
			fmt.Fprint(screen, event.Output)
		}
	case "pass", "fail", "skip":
		if event.Test == "" {
			p.failed = event.Action == "fail"
			for _, unfinished := range p.output { // a crash or the time limit cut them short
				fmt.Fprint(screen, unfinished)
			}
			return
		}
		p.verdicts[event.Test] = event.Action
		if event.Action != "pass" {
			fmt.Fprint(screen, p.output[event.Test])
		}
		delete(p.output, event.Test)
	}
}

func (p *goPackage) add(name string, sum *tally) {
	parents, failedBelow := map[string]bool{}, map[string]bool{}
	for test, verdict := range p.verdicts {
		for i := strings.LastIndexByte(test, '/'); i >= 0; i = strings.LastIndexByte(test[:i], '/') {
			parents[test[:i]] = true
			failedBelow[test[:i]] = failedBelow[test[:i]] || verdict == "fail"
		}
	}
	before := sum.failed
	for test, verdict := range p.verdicts {
		switch {
		case verdict == "fail" && !failedBelow[test]:
			sum.fail(name + " " + test)
		case parents[test]:
		case verdict == "pass":
			sum.passed++
		case verdict == "skip":
			sum.skipped++
		}
	}
	if p.failed && sum.failed == before {
		sum.fail(name)
	}
}

// readVitest reads Vitest's JSON report. A file that could not be loaded has no tests to fail.
func readVitest(stdout io.Reader, screen io.Writer, report string) (tally, error) {
	var r struct {
		NumPassedTests, NumFailedTests, NumPendingTests, NumTodoTests int
		TestResults                                                   []struct {
			Name, Status     string
			AssertionResults []struct{ FullName, Status string }
		}
	}
	if err := readReport(stdout, screen, report, &r); err != nil {
		return tally{}, err
	}
	sum := tally{passed: r.NumPassedTests, failed: r.NumFailedTests, skipped: r.NumPendingTests + r.NumTodoTests}
	for _, file := range r.TestResults {
		if file.Status == "failed" && len(file.AssertionResults) == 0 {
			sum.fail(file.Name)
		}
		for _, test := range file.AssertionResults {
			if test.Status == "failed" {
				sum.names = append(sum.names, file.Name+" "+test.FullName)
			}
		}
	}
	return sum, nil
}

// playwrightSuite is a file or a group of tests in Playwright's JSON report.
type playwrightSuite struct {
	Suites []playwrightSuite
	Specs  []struct {
		File, Title string
		Line        int
		Tests       []struct{ Status string }
	}
}

// named lists the tests below that came to the status.
func (s playwrightSuite) named(status string) []string {
	var names []string
	for _, spec := range s.Specs {
		for _, test := range spec.Tests {
			if test.Status == status {
				names = append(names, fmt.Sprintf("%s:%d %s", spec.File, spec.Line, spec.Title))
			}
		}
	}
	for _, below := range s.Suites {
		names = append(names, below.named(status)...)
	}
	return names
}

// readPlaywright reads Playwright's JSON report. A test that passed only when run again passed, and
// is named; more than mostFlaky of them failed.
func readPlaywright(stdout io.Reader, screen io.Writer, report string) (tally, error) {
	var r struct {
		playwrightSuite
		Stats  struct{ Expected, Unexpected, Flaky, Skipped int }
		Errors []struct{}
	}
	if err := readReport(stdout, screen, report, &r); err != nil {
		return tally{}, err
	}
	sum := tally{
		passed:  r.Stats.Expected,
		failed:  r.Stats.Unexpected + len(r.Errors),
		skipped: r.Stats.Skipped,
		names:   r.named("unexpected"),
	}
	if r.Stats.Flaky <= mostFlaky {
		sum.passed += r.Stats.Flaky
	} else {
		sum.failed += r.Stats.Flaky
	}
	for _, name := range r.named("flaky") {
		sum.names = append(sum.names, name+passedAgain)
	}
	return sum, nil
}

func readReport(stdout io.Reader, screen io.Writer, report string, into any) error {
	if _, err := io.Copy(screen, stdout); err != nil {
		return err
	}
	text, err := os.ReadFile(report)
	if err != nil {
		return errors.New("it wrote no report")
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("its report: %w", err)
	}
	return nil
}
