package main

import (
	"bytes"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const top = "../../.."

// TestDocument: each row has its tests, or says why none can show it; and the column of tests says what the tests say.
//
// Security: S9
func TestDocument(t *testing.T) {
	text := read(t, documentFile)
	tests, err := findTests(top)
	if err != nil {
		t.Fatal(err)
	}
	rows := readRows(text)
	if err := check(text, rows, tests); err != nil {
		t.Error(err)
	}
	for _, r := range rows {
		if cellOf(r, tests) == "" {
			t.Errorf("%s has no test: %s", r.id, r.requirement)
		}
	}
	if len(rows) < 56 {
		t.Errorf("only %d rows", len(rows))
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNothingSwitchesProtectionOff: the cross-origin protection has no exceptions by pattern (Go up to 1.25.0 let more
// through than was meant, GO-2025-3955), and the CORS library is past its wildcard fault (CVE-2019-25211).
//
// Security: S24, S27
func TestNothingSwitchesProtectionOff(t *testing.T) {
	exception := []byte("AddInsecure" + "BypassPattern")
	err := fs.WalkDir(os.DirFS(top), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && bytes.Contains([]byte(read(t, path)), exception):
			t.Errorf("%s has %s", path, exception)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	module := read(t, "go.mod")
	for what, least := range map[string]string{`(?m)^go (\S+)$`: "go1.25.1", `gin-contrib/cors v(\S+)`: "go1.6.0"} {
		found := regexp.MustCompile(what).FindStringSubmatch(module)
		// Versions of modules are compared as Go's own are.
		if found == nil || version.Compare("go"+found[1], least) < 0 {
			t.Errorf("%s: %v, want %s", what, found, least)
		}
	}
}

func TestTagsAreFound(t *testing.T) {
	t.Parallel()
	goSource := "// TestA is one.\n//\n// Security: S1, L2\nfunc TestA(t *testing.T) {\n\n// Security: S3\n\nfunc TestB(t *testing.T) {\n// Security: S4\nfunc FuzzC(f *testing.F) {\n"
	want := []test{{module: ".", folder: "x", title: "TestA", rows: []string{"S1", "L2"}}, {module: ".", folder: "x", title: "FuzzC", rows: []string{"S4"}}}
	if got := testsIn(goSource, placed("x", false)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	browser := "// Security: L1\ntest('one', async () => {\n  // Security: L2\n  // more\n  test(\n    'two',\n    async () => {\n"
	wantBrowser := []test{{title: "one", rows: []string{"L1"}}, {title: "two", rows: []string{"L2"}}}
	if got := testsIn(browser, placed("web/e2e", true)); !reflect.DeepEqual(got, wantBrowser) {
		t.Errorf("%+v", got)
	}
	if of := placed("bench/faults", false); of.module != "bench" || of.folder != "faults" {
		t.Errorf("%+v", of)
	}
}

func TestRowsAreJudged(t *testing.T) {
	t.Parallel()
	text := "| # | r |\n| S1 | One | A | |\n| S2 | Two | B | Does not apply: none. |\n| L1 | Three | C | x |\n"
	tests := []test{{module: ".", folder: "x", title: "TestA", rows: []string{"S1", "L1"}}}
	filled := fillIn(text, tests)
	for _, want := range []string{"| S1 | One | A | `x.TestA` |", "| S2 | Two | B | Does not apply: none. |", "| L1 | Three | C | `x.TestA` |"} {
		if !strings.Contains(filled, want+"\n") {
			t.Errorf("%q lacks %q", filled, want)
		}
	}
	rows := readRows(filled)
	if err := check(filled, rows, tests); err != nil {
		t.Error(err)
	}
	if check(text, rows, tests) == nil || check(filled, rows, append(tests, test{rows: []string{"S9"}})) == nil {
		t.Error("a document that differs is taken")
	}
	for verdict, bad := range map[string]int{passed: 0, failed: 2, "skipped": 2, "": 2} {
		var printed strings.Builder
		if got := printRows(&printed, rows, tests, map[string]string{"x.TestA": verdict}); got != bad {
			t.Errorf("%q: %d rows do not hold, want %d:\n%s", verdict, got, bad, &printed)
		}
	}
	if got := printRows(&strings.Builder{}, rows, nil, nil); got != 2 {
		t.Errorf("without tests %d rows are missing", got)
	}
}

func TestVerdictsAreRead(t *testing.T) {
	t.Parallel()
	events := `{"Action":"pass","Test":"TestA"}
{"Action":"fail","Test":"TestB"}
{"Action":"skip","Test":"TestC"}
{"Action":"fail"}`
	want := map[string]string{"TestA": passed, "TestB": failed, "TestC": "skipped"}
	if got := readEvents([]byte(events)); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}
