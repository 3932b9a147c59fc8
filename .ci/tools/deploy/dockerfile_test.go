package deploy

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// parse returns the stages of a Dockerfile and what the linter says of it.
func parse(t *testing.T, text []byte) (stages []instructions.Stage, warnings []string, err error) {
	t.Helper()
	warn := func(rule, _, _, message string, _ []parser.Range) { warnings = append(warnings, rule+": "+message) }
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	for _, w := range tree.Warnings {
		warnings = append(warnings, w.Short)
	}
	stages, _, err = instructions.Parse(tree.AST, linter.New(&linter.Config{Warn: warn, ExperimentalAll: true}))
	return stages, warnings, err
}

func dockerfile(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestDockerfileIsClean(t *testing.T) {
	if _, warnings, err := parse(t, dockerfile(t)); err != nil || len(warnings) > 0 {
		t.Errorf("%v, %v", err, warnings)
	}
}

func TestDockerfileFaultsAreFound(t *testing.T) {
	for name, change := range map[string][2]string{
		"unknown instruction": {"EXPOSE 8080", "EXPOSED 8080"},
		"casing":              {"AS build", "as build"},
		"no source":           {"COPY web ./", "COPY web"},
		"shell form":          {`CMD ["serve"]`, "MAINTAINER me"},
		"unknown flag":        {"--chown=", "--chowned="},
	} {
		t.Run(name, func(t *testing.T) {
			text := dockerfile(t)
			broken := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(text, broken) {
				t.Fatalf("there is no %q", change[0])
			}
			if _, warnings, err := parse(t, broken); err == nil && len(warnings) == 0 {
				t.Error("passes")
			}
		})
	}
}

// environment is what the image sets: every container begins with it.
func environment(t *testing.T) (pairs []string) {
	t.Helper()
	stages, _, err := parse(t, dockerfile(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range stages[len(stages)-1].Commands {
		if c, is := command.(*instructions.EnvCommand); is {
			for _, pair := range c.Env {
				pairs = append(pairs, pair.Key+"="+pair.Value)
			}
		}
	}
	return pairs
}

func TestDockerfileFinalImage(t *testing.T) {
	stages, _, err := parse(t, dockerfile(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 3 {
		t.Fatalf("%d stages", len(stages))
	}
	var user, entry, health string
	for _, command := range stages[len(stages)-1].Commands {
		switch c := command.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entry = strings.Join(c.CmdLine, " ")
		case *instructions.HealthCheckCommand:
			health = strings.Join(c.Health.Test, " ")
		}
	}
	if user != "65532:65532" || user != nodes(t, project(t))[0].User {
		t.Errorf("user %q", user)
	}
	if set := environment(t); !slices.Equal(set, []string{"BELFRY_LISTEN=:8080"}) || entry != "belfry" || !strings.Contains(health, "/readyz") {
		t.Errorf("environment %q, entry point %q, health check %q", set, entry, health)
	}
}

// TestDockerfileBuildsFromItsContext does by hand what the engine would: it copies what
// .dockerignore lets through, and builds there.
func TestDockerfileBuildsFromItsContext(t *testing.T) {
	stages, _, err := parse(t, dockerfile(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := sendContext(t)
	for _, stage := range stages {
		for _, command := range stage.Commands {
			copied, is := command.(*instructions.CopyCommand)
			if !is || copied.From != "" {
				continue
			}
			for _, source := range copied.SourcePaths {
				if _, err := os.Stat(filepath.Join(dir, source)); err != nil {
					t.Errorf("stage %s copies what is not sent: %v", stage.Name, err)
				}
			}
		}
	}
	checkFrontEndIsSent(t, dir)
	// What the stage "web" hands over.
	page := filepath.Join(dir, "web/dist/index.html")
	if err := errors.Join(os.MkdirAll(filepath.Dir(page), 0o755), os.WriteFile(page, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(t.TempDir(), "belfry"), ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// checkFrontEndIsSent wants every source of the front end in the context, so that it builds there
// as it does in the repository.
func checkFrontEndIsSent(t *testing.T, dir string) {
	t.Helper()
	made := []string{"node_modules", "dist", "coverage", "test-results", "playwright-report"}
	sent := 0
	err := filepath.WalkDir(filepath.Join(root, "web"), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(made, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		name, _ := filepath.Rel(root, path)
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s is not sent to the engine", name)
		}
		sent++
		return nil
	})
	if err != nil || sent < 10 {
		t.Errorf("%d files of the front end: %v", sent, err)
	}
}

// sendContext copies the repository as the client would send it to the engine, and checks that
// nothing goes along that has no business in a build.
func sendContext(t *testing.T) string {
	t.Helper()
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	patterns, err := ignorefile.ReadAll(file)
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if entry.IsDir() && slices.Contains([]string{"node_modules", ".git"}, entry.Name()) {
			return fs.SkipDir
		}
		if out, err := ignored.MatchesOrParentMatches(name); err != nil || out || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, name)
		return errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, text, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deploy/secrets", ".git", "data", "bin", "README.md", "cli/serve_test.go"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is sent to the engine", name)
		}
	}
	return dir
}
