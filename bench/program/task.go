package program

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Task is one of the things that a program can do. Its zero value is not used: Flags sets the defaults.
type Task interface {
	Flags(set *flag.FlagSet)
	// Run does it and prints; t fails when something did not hold.
	Run(t testing.TB, out io.Writer)
}

// RunTask does what the arguments name first, with the flags that follow. The exit code is that of [Run], or 2 where they
// name nothing that there is.
func RunTask(program string, tasks map[string]Task, args []string) (exitCode int) {
	if len(args) == 0 || tasks[args[0]] == nil {
		fmt.Fprintf(os.Stderr, "usage: %s %s [-h]\n", program, strings.Join(slices.Sorted(maps.Keys(tasks)), "|"))
		return 2
	}
	name, task := program+" "+args[0], tasks[args[0]]
	set := flag.NewFlagSet(name, flag.ExitOnError)
	task.Flags(set)
	_ = set.Parse(args[1:]) // it exits by itself
	if set.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s: what is %q?\n", name, set.Arg(0))
		return 2
	}
	return Run(name, func(t testing.TB) { task.Run(t, os.Stdout) })
}

// Output does a task within a test, as the command would, and gives what it prints.
func Output(t testing.TB, task Task, args ...string) string {
	t.Helper()
	set := flag.NewFlagSet(t.Name(), flag.ContinueOnError)
	task.Flags(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	task.Run(t, &out)
	t.Log("\n" + out.String())
	return out.String()
}

// Wants checks that something was printed for each pattern.
func Wants(t testing.TB, printed string, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(printed) {
			t.Errorf("nothing printed that matches %q", pattern)
		}
	}
}
