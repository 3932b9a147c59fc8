package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// module writes a Go module to run real tests in.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module bells\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func run1(t *testing.T, dir string, p part) (result, string) {
	t.Helper()
	var screen strings.Builder
	p.name = "part"
	return runner{root: dir, out: t.TempDir(), screen: &screen}.run(t.Context(), p), screen.String()
}

func TestGoTestsAreCounted(t *testing.T) {
	const head = "package a\nimport \"testing\"\n"
	for _, c := range []struct {
		name, code            string
		passed, failed        int
		wantScreen, wantQuiet string
		wantNamed             string
	}{
		{name: "passing", code: head + `func TestA(t *testing.T) { t.Log("quiet") }`, passed: 1, wantQuiet: "quiet"},
		{name: "failing", code: head + `func TestA(t *testing.T) { t.Error("loud") }
			func TestB(t *testing.T) {}`, passed: 1, failed: 1, wantScreen: "loud", wantNamed: "bells/a TestA"},
		{name: "leaves", code: head + `func TestA(t *testing.T) {
			t.Run("x", func(t *testing.T) {}); t.Run("y", func(t *testing.T) { t.Run("z", func(t *testing.T) { t.Fail() }) }) }`,
			passed: 1, failed: 1, wantNamed: "bells/a TestA/y/z"},
		{name: "parent alone", code: head + `func TestA(t *testing.T) { t.Run("x", func(t *testing.T) {}); t.Fail() }`,
			passed: 1, failed: 1},
		{name: "skipped", code: head + `func TestA(t *testing.T) {}
			func TestB(t *testing.T) { t.Skip("why") }`, passed: 1, failed: 1, wantScreen: "why"},
		{name: "panic", code: head + `func TestA(t *testing.T) { panic("fell over") }`, failed: 1, wantScreen: "fell over"},
		{name: "TestMain objects", code: `package a
			import ("os"; "testing")
			func TestMain(m *testing.M) { m.Run(); os.Exit(3) }
			func TestA(t *testing.T) {}`, passed: 1, failed: 1},
		{name: "does not build", code: head + `func TestA(t *testing.T) { undefinedName() }`, failed: 1, wantScreen: "undefinedName"},
		{name: "no tests", code: "package a\n", failed: 1, wantScreen: "ran no test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := module(t, map[string]string{"a/a_test.go": c.code})
			got, screen := run1(t, dir, part{command: []string{"go", "test", "-vet=off", "-json", "./..."}, read: readGo})
			if got.passed != c.passed || got.failed != c.failed {
				t.Errorf("%d passed, %d failed; want %d, %d\n%s", got.passed, got.failed, c.passed, c.failed, screen)
			}
			if !strings.Contains(screen, c.wantScreen) {
				t.Errorf("%q is not shown:\n%s", c.wantScreen, screen)
			}
			if names := strings.Join(got.names, ", "); c.wantNamed != "" && names != c.wantNamed {
				t.Errorf("named %q, want %q", names, c.wantNamed)
			}
			if c.wantQuiet != "" && strings.Contains(screen, c.wantQuiet) {
				t.Errorf("%q of a passing test is shown", c.wantQuiet)
			}
		})
	}
}

// A test that fails once leaves a file behind and finds it the second time.
func TestFewFailuresAreRunAgain(t *testing.T) {
	const head = "package a\nimport (\"os\"; \"testing\")\n" + `
		func once(t *testing.T, name string) {
			f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o600)
			if err == nil { f.Close(); t.Error("once") }
		}
		func TestOther(t *testing.T) { f, _ := os.OpenFile("ran", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); f.WriteString("x"); f.Close() }
		`
	for _, c := range []struct {
		name, code     string
		race           bool
		passed, failed int
		names          string
	}{
		{"once", `func TestA(t *testing.T) { t.Run("x", func(t *testing.T) { once(t, "a") }) }`, false, 2, 0, "bells/a TestA/x (passed when run again)"},
		{"each time", `func TestA(t *testing.T) { t.Error("each time") }`, false, 1, 1, "bells/a TestA"},
		{"too many", `func TestA(t *testing.T) { once(t, "a") }
			func TestB(t *testing.T) { once(t, "b") }
			func TestC(t *testing.T) { once(t, "c") }`, false, 1, 3, "bells/a TestA, bells/a TestB, bells/a TestC"},
		{"skips the second time", `func TestA(t *testing.T) { once(t, "a"); if !t.Failed() { t.Skip() } }`, false, 1, 1, "bells/a TestA"},
		{"a race", `func TestA(t *testing.T) {
			n, done := 0, make(chan int)
			if _, err := os.Stat("a"); err != nil { os.WriteFile("a", nil, 0o600); go func() { n++; close(done) }(); n++; <-done }
		}`, true, 1, 1, "bells/a TestA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := module(t, map[string]string{"a/a_test.go": head + c.code})
			p := part{command: []string{"go", "test", "-vet=off", "-json", "./a", "./..."}, read: readGo, again: goAgain}
			if c.race {
				p.command, p.env = slices.Insert(p.command, 2, "-race"), []string{"CGO_ENABLED=1"}
			}
			got, screen := run1(t, dir, p)
			slices.Sort(got.names)
			if names := strings.Join(got.names, ", "); got.passed != c.passed || got.failed != c.failed || names != c.names {
				t.Errorf("%d passed, %d failed, named %q; want %d, %d, %q\n%s", got.passed, got.failed, names, c.passed, c.failed, c.names, screen)
			}
			if ran, err := os.ReadFile(filepath.Join(dir, "a/ran")); err != nil || string(ran) != "x" {
				t.Errorf("the other test ran %q (%v)", ran, err)
			}
		})
	}
}

func TestReportsAreCounted(t *testing.T) {
	for _, c := range []struct {
		name, report   string
		read           reader
		passed, failed int
		named          string
	}{
		{"vitest", `{"numPassedTests":3,"numFailedTests":1,"numPendingTests":1,"testResults":[
			{"name":"a.ts","status":"failed","assertionResults":[{"fullName":"rings","status":"failed"}]},
			{"name":"b.ts","status":"failed","assertionResults":[]}]}`, readVitest, 3, 3, "a.ts rings, b.ts"},
		{"playwright", `{"stats":{"expected":4,"unexpected":1,"flaky":1,"skipped":1},"errors":[{}],"suites":[
			{"specs":[{"file":"a.ts","line":3,"title":"rings","tests":[{"status":"unexpected"}]}],
			"suites":[{"specs":[{"file":"a.ts","line":9,"title":"locks","tests":[{"status":"flaky"}]}]}]}]}`, readPlaywright, 5, 3,
			"a.ts:3 rings, a.ts:9 locks (passed when run again)"},
		{"too many run again", `{"stats":{"expected":4,"flaky":3}}`, readPlaywright, 4, 3, ""},
		{"nothing ran", `{}`, readPlaywright, 0, 1, ""},
		{"broken", `{`, readVitest, 0, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := []string{"sh", "-c", `printf '%s' "$1" >"$2"`, "sh", c.report, reportArgument}
			got, screen := run1(t, t.TempDir(), part{command: command, read: c.read})
			if got.passed != c.passed || got.failed != c.failed {
				t.Errorf("%d passed, %d failed; want %d, %d\n%s", got.passed, got.failed, c.passed, c.failed, screen)
			}
			if names := strings.Join(got.names, ", "); names != c.named {
				t.Errorf("named %q, want %q", names, c.named)
			}
		})
	}
}

func TestWhatIsNoTestCountsAsOne(t *testing.T) {
	missing := func(io.Reader, io.Writer, string) (tally, error) { return tally{passed: 1}, nil }
	for _, c := range []struct {
		name           string
		part           part
		passed, failed int
	}{
		{"check passes", part{command: []string{"true"}}, 1, 0},
		{"check fails", part{command: []string{"false"}}, 0, 1},
		{"cannot start", part{command: []string{"./no-such-program"}}, 0, 1},
		{"tests cannot start", part{command: []string{"./no-such-program"}, read: missing}, 0, 1},
		{"tests pass, runner fails", part{command: []string{"false"}, read: missing}, 1, 1},
		{"no report", part{command: []string{"true"}, read: readVitest}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, screen := run1(t, t.TempDir(), c.part); got.passed != c.passed || got.failed != c.failed {
				t.Errorf("%d passed, %d failed; want %d, %d\n%s", got.passed, got.failed, c.passed, c.failed, screen)
			}
		})
	}
}

func TestInterruptedPartFailsAndLeavesNoProcess(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	ready := func(stdout io.Reader, _ io.Writer, _ string) (tally, error) {
		var pid int
		_, err := fmt.Fscan(stdout, &pid)
		cancel()
		return tally{passed: pid}, err
	}
	p := part{name: "hang", command: []string{"sh", "-c", "sleep 300 & echo $!; wait"}, read: ready}
	got := runner{root: dir, out: dir, screen: io.Discard}.run(ctx, p)
	if got.failed != 1 || !strings.Contains(got.note, "ended after") {
		t.Fatalf("got %+v", got)
	}
	grandchild := got.passed
	for deadline := time.Now().Add(graceAfterKill); ; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", grandchild))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", grandchild)
		}
	}
}

// TestPartsBesideEachOther wait for each other, which they could not do one after the other.
func TestPartsBesideEachOther(t *testing.T) {
	dir := t.TempDir()
	meet := func(mine, other string) []string {
		return []string{"sh", "-c", `echo "$0" >&2; mkfifo "$0" 2>/dev/null; mkfifo "$1" 2>/dev/null; echo >"$0" & read -r _ <"$1"`, mine, other}
	}
	var screen strings.Builder
	got := runner{root: dir, out: dir, screen: &screen}.runAll(t.Context(), []part{
		{name: "alone", command: []string{"true"}},
		{name: "first", command: meet("here", "there")},
		{name: "second", command: meet("there", "here"), beside: true},
		{name: "after", command: []string{"false"}},
	})
	var names []string
	for _, r := range got {
		names = append(names, fmt.Sprint(r.name, r.passed, r.failed))
	}
	if strings.Join(names, " ") != "alone1 0 first1 0 second1 0 after0 1" {
		t.Errorf("%q", names)
	}
	shown := screen.String()
	if at := strings.Index(shown, "== second"); at < strings.Index(shown, "here\n") || at > strings.Index(shown, "== after") {
		t.Errorf("what the second shows is not in one piece behind the first:\n%s", shown)
	}
}

func TestLastLineIsTheSum(t *testing.T) {
	var screen strings.Builder
	code := printTally(&screen, []result{{name: "a", passed: 2}, {name: "b", passed: 3, failed: 1, note: "why", names: []string{"TestBell"}}})
	if code != 1 || !strings.Contains(screen.String(), "b: TestBell\n") || !strings.HasSuffix(screen.String(), "\n5 passed, 1 failed\n") || !strings.Contains(screen.String(), "why") {
		t.Errorf("exit code %d\n%s", code, screen.String())
	}
	if code := printTally(&screen, []result{{name: "a", passed: 2}}); code != 0 {
		t.Errorf("exit code %d though nothing failed", code)
	}
	if code := printTally(&screen, nil); code == 0 {
		t.Error("nothing ran, and that passed")
	}
}

func TestChoose(t *testing.T) {
	all := []part{{name: "a"}, {name: "b"}, {name: "c"}}
	if got, err := choose(all, []string{"c", "a"}); err != nil || len(got) != 2 || got[0].name != "a" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := choose(all, []string{"d"}); err == nil || !strings.Contains(err.Error(), "a b c") {
		t.Errorf("an unknown part: %v", err)
	}
}

// What make runs by name has to be there.
func TestMakefileNamesParts(t *testing.T) {
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for line := range strings.Lines(string(makefile)) {
		names, ok := strings.CutPrefix(line, "\t@$(SUITE) ")
		if !ok || strings.HasPrefix(names, "$(ONLY)") {
			continue
		}
		named++
		if _, err := choose(parts("/"), strings.Fields(names)); err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if named == 0 {
		t.Error("no line of the Makefile names parts of the suite")
	}
}
