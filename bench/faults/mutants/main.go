// Command mutants breaks one promise of the sources at a time and wants the fault driver to find it. Each
// mutant is a patch beside this file. It has to be caught by its own faults, and has to survive when they
// are left out: one fault must not catch them all.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

// mutant is a build with one promise broken.
type mutant struct {
	patch string
	broke string   // the promise
	own   []string // the faults that have to catch it
	// ordinary says that it breaks without any fault, as soon as two nodes publish. Then it has to survive where one does.
	ordinary bool
}

var mutants = []mutant{
	{patch: "bigserial", broke: "offsets are given in commit order", own: []string{"subscribe racing publish"}, ordinary: true},
	{patch: "hint-as-truth", broke: "a lost hint costs half a second", own: []string{"locked on the other node"}},
	{patch: "acknowledge-uncommitted", broke: "201 comes after the commit", own: []string{"PostgreSQL restarted fast", "connections to the database cut", "publisher stopped holding the lock"}},
	{patch: "acknowledge-unflushed", broke: "201 means that it is on disk", own: []string{"PostgreSQL killed", "PostgreSQL restarted immediate"}},
	{patch: "subscribe-late", broke: "nothing falls between reading and listening", own: []string{"subscribe racing publish"}},
	{patch: "same-epoch", broke: "an id that is used again is of another epoch", own: []string{"failover to a lagging standby"}},
	{patch: "lock-from-memory", broke: "what a node remembers is as new as the log", own: []string{"locked on the other node"}},
	{patch: "replay-for-all", broke: "a replay asks who may read", own: []string{"clients flapping", "cut in mid-frame"}},
	{patch: "key-after-commit", broke: "the key is stored with what it made", own: []string{"kill -9 of a node", "reply to COMMIT lost"}},
}

// others are the faults of the second run, less a mutant's own and those that strike the same promise.
var others = []string{
	"kill -9 of a node", "PostgreSQL killed", "reply to COMMIT lost", "LISTEN black-holed", "hints doubled and forged",
	"stranger's long transaction", "clients flapping", "nginx reloaded", "subscribe racing publish", "locked on the other node",
}

// alike are faults of the second run that break the same promise as another by other means.
var alike = map[string][]string{
	"bigserial":               {"locked on the other node"}, // which commits beside the publishers
	"hint-as-truth":           {"LISTEN black-holed"},
	"acknowledge-uncommitted": {"PostgreSQL killed", "reply to COMMIT lost", "kill -9 of a node"},
	// All that makes streams begin again, unlocking included.
	"replay-for-all":   {"kill -9 of a node", "nginx reloaded", "subscribe racing publish", "PostgreSQL killed", "locked on the other node"},
	"key-after-commit": {"PostgreSQL killed"},
}

func main() { os.Exit(run()) }

func run() int {
	only := flag.String("only", "", "the names of mutants, separated by commas; empty = all")
	seed := flag.String("seed", "1", "of the faults")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l, err := newLab(ctx, *seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(l.dir)
	code := 0
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "mutant\tbroken promise\tcaught by\twithout them\n")
	for _, m := range mutants {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), m.patch) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", m.patch, m.broke) // each takes a minute or two
		caught, missed, err := l.try(ctx, m)
		switch {
		case err != nil:
			fmt.Fprintf(table, "%s\t%s\t%v\t\n", m.patch, m.broke, err)
			code = 1
		case len(caught) == 0 || len(missed) > 0:
			code = 1
			fallthrough
		default:
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.patch, m.broke, nameOr(caught, "NOTHING"), nameOr(missed, "survives"))
		}
	}
	_ = table.Flush()
	return code
}

func nameOr(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// lab is where mutants are made and tried.
type lab struct {
	dir    string // of its own
	root   string // of the sources
	driver string // the compiled fault driver
	seed   string
}

func newLab(ctx context.Context, seed string) (*lab, error) {
	root, err := filepath.Abs("../..") // it is run in bench/faults
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "belfry-mutants-")
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, root: root, driver: filepath.Join(dir, "faults.test"), seed: seed}
	if err := command(ctx, filepath.Join(root, "bench/faults"), "go", "test", "-c", "-o", l.driver, "."); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return l, nil
}

// command runs one to its end. What it printed is part of its error.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// try makes a mutant and runs the driver against it twice.
func (l *lab) try(ctx context.Context, m mutant) (caught, missed []string, err error) {
	binary, err := l.build(ctx, m.patch)
	if err != nil {
		return nil, nil, err
	}
	if caught, err = l.inject(ctx, binary, "0.4", m.own); err != nil {
		return nil, nil, err
	}
	rest := slices.DeleteFunc(slices.Clone(others), func(name string) bool {
		return slices.Contains(m.own, name) || slices.Contains(alike[m.patch], name)
	})
	extra := []string{}
	if m.ordinary {
		extra = append(extra, "-onenode")
	}
	missed, err = l.inject(ctx, binary, "0.4", rest, extra...)
	return caught, missed, err
}

// build copies the sources, breaks them and compiles.
func (l *lab) build(ctx context.Context, patch string) (string, error) {
	tree := filepath.Join(l.dir, patch)
	if err := os.Mkdir(tree, 0o700); err != nil {
		return "", err
	}
	defer os.RemoveAll(tree)
	for _, part := range []string{"go.mod", "go.sum", "main.go", "cli", "client", "config", "handlers", "middleware", "migrations", "models", "services", "web"} {
		if err := copyTree(filepath.Join(l.root, part), filepath.Join(tree, part)); err != nil {
			return "", err
		}
	}
	binary := tree + ".bin"
	return binary, errors.Join(
		command(ctx, tree, "git", "apply", "--recount", filepath.Join(l.root, "bench/faults/mutants", patch+".patch")),
		command(ctx, tree, "go", "build", "-o", binary, "."))
}

// copyTree copies what belongs to the program: no tests, nothing that was installed.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "node_modules" {
			return filepath.SkipDir
		}
		target := to + strings.TrimPrefix(path, from)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o600)
	})
}

// inject runs the driver with some faults, and tells which of them found a broken promise.
func (l *lab) inject(ctx context.Context, binary, minutes string, faults []string, extra ...string) ([]string, error) {
	verdict := binary + ".json"
	defer os.Remove(verdict)
	args := append([]string{"-test.run", "^TestFaults$", "-seed", l.seed, "-minutes", minutes, "-binary", binary,
		"-only", strings.Join(faults, ","), "-verdict", verdict}, extra...)
	failed := command(ctx, filepath.Join(l.root, "bench/faults"), l.driver, args...)
	text, err := os.ReadFile(verdict)
	if err != nil {
		return nil, errors.Join(failed, err)
	}
	var broken map[string]int
	if err := json.Unmarshal(text, &broken); err != nil {
		return nil, err
	}
	var found []string
	for name, count := range broken {
		if count > 0 {
			found = append(found, fmt.Sprintf("%s (%d)", name, count))
		}
	}
	slices.Sort(found)
	if failed != nil && len(found) == 0 {
		return nil, failed // it failed for another reason
	}
	return found, ctx.Err()
}
