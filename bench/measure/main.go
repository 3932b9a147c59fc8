// Command measure runs the real server on a real PostgreSQL that keeps what it has acknowledged, puts
// it under a load, and prints what came of it in a small table:
//
//	go run ./measure publish   how many notices a second are taken, each durable, and at what cost
//	go run ./measure herd      what thousands of streams do to the database in a rolling restart
//	go run ./measure lock      how long after a lock on one node another one refuses
//
// "-h" after the name lists what can be set. It exits with 1 when anything that was promised was
// not kept: a notice lost, an answer that should not be.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"belfry/bench/program"
	"belfry/bench/server"
)

// measurement is one of the programs. Its zero value is not used: flags sets the defaults.
type measurement interface {
	flags(*flag.FlagSet)
	// run measures and prints; t fails when a promise was not kept.
	run(t testing.TB, out io.Writer)
}

func measurements() map[string]measurement {
	return map[string]measurement{"publish": &publishing{}, "herd": &herd{}, "lock": &locking{}}
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (exitCode int) {
	if len(args) == 0 || measurements()[args[0]] == nil {
		fmt.Fprintln(os.Stderr, "usage: measure publish|herd|lock [-h]")
		return 2
	}
	m := measurements()[args[0]]
	set := flag.NewFlagSet("measure "+args[0], flag.ExitOnError)
	m.flags(set)
	_ = set.Parse(args[1:]) // it exits by itself
	if set.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "measure %s: what is %q?\n", args[0], set.Arg(0))
		return 2
	}
	defer server.Remove()
	return program.Run("measure "+args[0], func(t testing.TB) { m.run(t, os.Stdout) })
}

// settings collects what "-set NAME=value", which may be given again and again, passes to the nodes.
type settings []string

func (s *settings) String() string { return strings.Join(*s, " ") }

func (s *settings) Set(setting string) error {
	if !strings.Contains(setting, "=") {
		return fmt.Errorf("expected NAME=value, without BELFRY_")
	}
	*s = append(*s, setting)
	return nil
}

func (s *settings) flag(set *flag.FlagSet) {
	set.Var(s, "set", "`NAME=value`: a setting of the nodes, without BELFRY_; may be repeated")
}
