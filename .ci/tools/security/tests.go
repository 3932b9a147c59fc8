package main

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Where tests are, from the top of the repository. Each Go module is run from its own folder.
const browserTests = "web/e2e"

var modules = []string{".", ".ci/tools", "bench"}

// test is one that bears rows.
type test struct {
	module string // of Go; empty = in the browser
	folder string // of the package, from its module
	title  string
	rows   []string
}

func (t test) bears(id string) bool { return slices.Contains(t.rows, id) }

// name is how the test is called in the document.
func (t test) name() string {
	if t.module == "" {
		return "e2e: " + t.title
	}
	folder := filepath.ToSlash(filepath.Join(t.module, t.folder))
	return folder + "." + t.title
}

var (
	tagPattern   = regexp.MustCompile(`^\s*// Security: ([SL0-9, ]+)$`)
	goPattern    = regexp.MustCompile(`^func ((?:Test|Fuzz)\w+)\(`)
	titlePattern = regexp.MustCompile(`^\s*test\(\s*'([^']+)'`)
)

// findTests reads the sources of all tests.
func findTests(root string) (tests []test, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		inBrowser := strings.HasSuffix(path, ".spec.ts") && strings.Contains(filepath.ToSlash(path), browserTests)
		if !inBrowser && !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		place, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		tests = append(tests, testsIn(string(text), placed(place, inBrowser))...)
		return nil
	})
	slices.SortStableFunc(tests, func(a, b test) int { return cmp.Or(cmp.Compare(b.module, a.module), cmp.Compare(a.name(), b.name())) })
	return tests, err
}

// placed is a test of a folder, without its title.
func placed(folder string, inBrowser bool) test {
	if inBrowser {
		return test{}
	}
	t := test{module: ".", folder: folder}
	for _, module := range modules[1:] {
		if below, inside := strings.CutPrefix(folder, module); inside && (below == "" || below[0] == '/') {
			t.module, t.folder = module, strings.TrimPrefix(below, "/")
		}
	}
	return t
}

// testsIn finds the tests that a tag stands above. What stands between the two may only be more comment, or the
// beginning of a call that goes on in the next line.
func testsIn(text string, of test) (tests []test) {
	var rows []string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if tag := tagPattern.FindStringSubmatch(line); tag != nil {
			rows = append(rows, strings.FieldsFunc(tag[1], func(r rune) bool { return r == ',' || r == ' ' })...)
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(line), "//") || rows == nil {
			continue
		}
		pattern, start := goPattern, line
		if of.module == "" {
			pattern, start = titlePattern, strings.Join(lines[i:min(i+2, len(lines))], "")
		}
		if title := pattern.FindStringSubmatch(start); title != nil {
			found := of
			found.title, found.rows = title[1], rows
			tests = append(tests, found)
		}
		rows = nil
	}
	return tests
}
