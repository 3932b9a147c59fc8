package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// goEvent is a line of "go test -json".
type goEvent struct {
	Action, Package, Test, Output string
}

// goPackage gathers what the tests of one package did.
type goPackage struct {
	verdicts map[string]string // by test: pass, fail or skip
	output   map[string]string // of tests that have not passed yet
	failed   bool
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
	for _, p := range packages {
		p.add(&sum)
	}
	return sum, nil
}

// note takes in one event. Of a package its last words are shown, of a test only what it said
// before it failed.
func (p *goPackage) note(event goEvent, screen io.Writer) {
	switch event.Action {
	case "output":
		if event.Test != "" {
			p.output[event.Test] += event.Output
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

func (p *goPackage) add(sum *tally) {
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
			sum.failed++
		case parents[test]:
		case verdict == "pass":
			sum.passed++
		case verdict == "skip":
			sum.skipped++
		}
	}
	if p.failed && sum.failed == before {
		sum.failed++
	}
}

// readVitest reads Vitest's JSON report. A file that could not be loaded has no tests to fail.
func readVitest(stdout io.Reader, screen io.Writer, report string) (tally, error) {
	var r struct {
		NumPassedTests, NumFailedTests, NumPendingTests, NumTodoTests int
		TestResults                                                   []struct {
			Status           string
			AssertionResults []struct{}
		}
	}
	if err := readReport(stdout, screen, report, &r); err != nil {
		return tally{}, err
	}
	sum := tally{passed: r.NumPassedTests, failed: r.NumFailedTests, skipped: r.NumPendingTests + r.NumTodoTests}
	for _, file := range r.TestResults {
		if file.Status == "failed" && len(file.AssertionResults) == 0 {
			sum.failed++
		}
	}
	return sum, nil
}

// readPlaywright reads Playwright's JSON report. A test that passed only when run again failed.
func readPlaywright(stdout io.Reader, screen io.Writer, report string) (tally, error) {
	var r struct {
		Stats  struct{ Expected, Unexpected, Flaky, Skipped int }
		Errors []struct{}
	}
	if err := readReport(stdout, screen, report, &r); err != nil {
		return tally{}, err
	}
	return tally{
		passed:  r.Stats.Expected,
		failed:  r.Stats.Unexpected + r.Stats.Flaky + len(r.Errors),
		skipped: r.Stats.Skipped,
	}, nil
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
