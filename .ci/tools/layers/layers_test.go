// Package layers proves that the linter holds the import directions: it lints small modules
// in which every package imports every other and expects exactly the forbidden imports back.
package layers

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers lists the packages from left to right. allowed says, apart from .golangci.yml, what
// each may import of this module.
var (
	layers = []string{
		"", "cli", "handlers", "middleware", "services", "services/hub", "services/announce", "services/journal",
		"models", "config", "migrations", "client", "web", "internal/testpg",
	}
	allowed = map[string]string{
		"":                  "cli",
		"cli":               "handlers middleware services services/hub services/announce services/journal models config migrations client",
		"handlers":          "middleware services services/hub services/announce services/journal models web",
		"middleware":        "services services/hub services/announce services/journal models",
		"services":          "services/hub services/announce services/journal models",
		"services/hub":      "services/journal",
		"services/announce": "services/journal",
	}
	// Who may know which library.
	libraries = map[string]string{
		"github.com/gin-gonic/gin":         "handlers middleware",
		"github.com/gin-contrib/cors":      "handlers middleware",
		"github.com/danielgtaylor/huma/v2": "handlers middleware",
		"gorm.io/gorm":                     "services services/hub services/announce services/journal",
		"github.com/glebarez/sqlite":       "services services/hub services/announce services/journal",
		"github.com/prometheus/client_golang": "cli handlers middleware services services/hub services/announce services/journal " +
			"config migrations client web internal/testpg main",
	}
)

// testsMayNot says what the tests of a package may not import; unnamed ones are free.
var testsMayNot = func() map[string]string {
	const (
		gin     = " github.com/gin-gonic/gin github.com/gin-contrib/cors github.com/danielgtaylor/huma/v2"
		outer   = "cli handlers middleware client web"
		service = " services services/hub services/announce services/journal"
	)
	return map[string]string{
		"handlers": "cli client", "middleware": "cli client",
		"services": outer + " config" + gin, "services/hub": outer + " config" + gin,
		"services/announce": outer + " config" + gin, "services/journal": outer + " config" + gin,
		"models": outer + service + gin, "config": outer + service + gin,
		"migrations": outer + service + gin, "internal/testpg": outer + service + gin,
	}
}()

// edge is an import of one package by another, or by its tests.
type edge struct {
	from, to string
	test     bool
}

func (e edge) permitted() bool {
	if e.test {
		return !slices.Contains(strings.Fields(testsMayNot[e.from]), e.to)
	}
	if who, isLibrary := libraries[e.to]; isLibrary {
		return slices.Contains(strings.Fields(who), label(e.from))
	}
	return slices.Contains(strings.Fields(allowed[e.from]), e.to)
}

// file is the i-th edge's source: where it lies and what it says.
func (e edge) file(i int) (name, text string) {
	name, pkg, target := fmt.Sprintf("edge%d.go", i), packageName(e.from), e.to
	if e.test {
		name, pkg = fmt.Sprintf("edge%d_test.go", i), pkg+"_test"
	}
	if _, isLibrary := libraries[e.to]; !isLibrary {
		target = "belfry/" + e.to
	}
	return path.Join(e.from, name), fmt.Sprintf("package %s\n\nimport _ %q\n", pkg, target)
}

func label(name string) string {
	if name == "" {
		return "main"
	}
	return name
}

// TestImportsToTheRight has every import that points to the right, and every library. Imports
// to the left are in a module of their own, for together they would be cycles.
func TestImportsToTheRight(t *testing.T) {
	var edges []edge
	for i, from := range layers {
		for _, to := range layers[i+1:] {
			edges = append(edges, edge{from: from, to: to})
		}
		for library := range libraries {
			edges = append(edges, edge{from: from, to: library})
		}
	}
	check(t, edges)
}

func TestImportsToTheLeft(t *testing.T) {
	var edges []edge
	for i, from := range layers {
		for _, to := range layers[:i] {
			if to != "" { // a program cannot be imported anyway
				edges = append(edges, edge{from: from, to: to})
			}
		}
	}
	check(t, edges)
}

func TestImportsOfTests(t *testing.T) {
	var edges []edge
	for _, from := range layers {
		for _, to := range layers {
			if to != "" && to != from {
				edges = append(edges, edge{from: from, to: to, test: true})
			}
		}
		for library := range libraries {
			edges = append(edges, edge{from: from, to: library, test: true})
		}
	}
	check(t, edges)
}

// check writes the edges into a module, one file each, and compares the linter's findings.
func check(t *testing.T, edges []edge) {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile("../../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, ".golangci.yml", string(config))
	mod := "module belfry\n\ngo 1.26\n"
	for library := range libraries {
		stub := path.Join("stubs", library)
		write(t, dir, path.Join(stub, "stub.go"), "package stub\n")
		write(t, dir, path.Join(stub, "go.mod"), "module "+library+"\n")
		version := "v1.0.0"
		if strings.HasSuffix(library, "/v2") {
			version = "v2.0.0"
		}
		mod += fmt.Sprintf("require %s %s\nreplace %s => ./%s\n", library, version, library, stub)
	}
	write(t, dir, "go.mod", mod)
	for _, layer := range layers {
		write(t, dir, path.Join(layer, "doc.go"), fmt.Sprintf("package %s\n", packageName(layer)))
	}
	write(t, dir, "main.go", "package main\n\nfunc main() {}\n")
	for i, e := range edges {
		name, text := e.file(i)
		write(t, dir, name, text)
	}
	found := lint(t, dir)
	for i, e := range edges {
		name, _ := e.file(i)
		if refused := found[name]; refused == e.permitted() {
			t.Errorf("%s (test: %v) imports %s: refused is %v", label(e.from), e.test, e.to, refused)
		}
	}
}

func packageName(layer string) string { return path.Base("/" + label(layer)) }

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lint returns the files in which depguard found something.
func lint(t *testing.T, dir string) map[string]bool {
	t.Helper()
	linter := os.Getenv("GOLANGCI_LINT")
	if linter == "" {
		t.Fatal("GOLANGCI_LINT is to name the linter; make test does it")
	}
	cmd := exec.CommandContext(t.Context(), linter, "run", "--enable-only=depguard", "--output.json.path=stdout", "--show-stats=false", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOLANGCI_LINT_CACHE="+filepath.Join(dir, ".cache"))
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output() // fails wherever it found something
	var report struct {
		Issues []struct {
			FromLinter, Text string
			Pos              struct{ Filename string }
		}
	}
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil {
		t.Fatalf("%v, %v\n%s%s", err, jsonErr, out, faults.String())
	}
	found := map[string]bool{}
	for _, issue := range report.Issues {
		if issue.FromLinter != "depguard" {
			t.Fatalf("%s: %s", issue.FromLinter, issue.Text)
		}
		found[filepath.ToSlash(issue.Pos.Filename)] = true
	}
	return found
}
