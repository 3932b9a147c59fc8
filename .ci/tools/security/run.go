package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// What a test came to.
const (
	passed        = "pass"
	failed        = "FAIL"
	notApplicable = "n/a"
)

// runAll runs the tests, and gives what each came to by its name. What they write into TEST_REPORTS goes to reports.
func runAll(ctx context.Context, root, reports string, tests []test) (map[string]string, error) {
	verdicts := map[string]string{}
	env := append(os.Environ(), "REQUIRE_PG=1", "NO_COLOR=1", "TEST_REPORTS="+reports, "BELFRY_BIN="+filepath.Join(root, "bin/belfry"))
	for _, module := range modules {
		if err := runGo(ctx, root, module, env, tests, verdicts); err != nil {
			return nil, err
		}
	}
	return verdicts, runBrowser(ctx, root, reports, env, tests, verdicts)
}

// runGo runs those of one module: each package alone, for a name may stand in several.
func runGo(ctx context.Context, root, module string, env []string, tests []test, verdicts map[string]string) error {
	titles := map[string][]string{}
	for _, t := range tests {
		if t.module == module {
			titles[t.folder] = append(titles[t.folder], t.title)
		}
	}
	folders := make([]string, 0, len(titles))
	for folder := range titles {
		folders = append(folders, folder)
	}
	slices.Sort(folders)
	for _, folder := range folders {
		pattern := "^(" + strings.Join(titles[folder], "|") + ")$"
		fmt.Printf("== %s: %d tests\n", filepath.Join(module, folder), len(titles[folder]))
		cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=14m", "-run", pattern, "./"+folder)
		cmd.Dir, cmd.Env, cmd.Stderr = filepath.Join(root, module), env, os.Stderr
		output, err := cmd.Output()
		for title, verdict := range readEvents(output) {
			verdicts[test{module: module, folder: folder, title: title}.name()] = verdict
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Printf("== %s: %v\n", folder, err) // each test that did not pass says so in the table
		}
	}
	return nil
}

// readEvents reads the lines of "go test -json", and prints what the failed tests have said.
func readEvents(output []byte) map[string]string {
	verdicts, said := map[string]string{}, map[string]string{}
	for lines := bufio.NewReader(bytes.NewReader(output)); ; {
		line, err := lines.ReadBytes('\n')
		var event struct{ Action, Test, Output string }
		if json.Unmarshal(line, &event) == nil && event.Test != "" {
			switch event.Action {
			case "output":
				said[event.Test] += event.Output
			case "pass":
				verdicts[event.Test] = passed
			case "fail":
				verdicts[event.Test] = failed
				fmt.Print(said[event.Test])
			case "skip":
				verdicts[event.Test] = "skipped"
			}
		}
		if err != nil {
			return verdicts
		}
	}
}

// suiteReport is as much of Playwright's JSON report as is needed.
type suiteReport struct {
	Suites []suiteReport
	Specs  []struct {
		Title string
		OK    bool `json:"ok"`
		Tests []struct{ Status string }
	}
}

// runBrowser runs those in the browser: through nginx, for some rows are about its logs, and without it what is not run
// there, since a proxy changes nothing about it.
func runBrowser(ctx context.Context, root, reports string, env []string, tests []test, verdicts map[string]string) error {
	for _, via := range []string{"nginx", ""} {
		var titles []string
		for _, t := range tests {
			if t.module == "" && verdicts[t.name()] == "" {
				titles = append(titles, regexp.QuoteMeta(t.title))
			}
		}
		if len(titles) == 0 {
			return nil
		}
		fmt.Printf("== %s: %d tests\n", browserTests, len(titles))
		file := filepath.Join(reports, "playwright.json")
		cmd := exec.CommandContext(ctx, "npx", "playwright", "test", "--reporter=list,json", "-g", "("+strings.Join(titles, "|")+")$")
		cmd.Dir = filepath.Join(root, "web")
		cmd.Env = append(slices.Clone(env), "BELFRY_E2E_VIA="+via, "PLAYWRIGHT_JSON_OUTPUT_FILE="+file)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Printf("== %s: %v\n", browserTests, err) // each test that did not pass says so in the table
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("the browser's tests wrote no report: %w", err)
		}
		var report suiteReport
		if err := json.Unmarshal(text, &report); err != nil {
			return err
		}
		report.into(verdicts)
	}
	return nil
}

func (s *suiteReport) into(verdicts map[string]string) {
	for _, spec := range s.Specs {
		verdict := failed
		if spec.OK {
			verdict = passed
		}
		for _, attempt := range spec.Tests {
			if attempt.Status == "skipped" || attempt.Status == "flaky" {
				verdict = attempt.Status
			}
		}
		verdicts["e2e: "+spec.Title] = verdict
	}
	for i := range s.Suites {
		s.Suites[i].into(verdicts)
	}
}
