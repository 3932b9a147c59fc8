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
	"os"
	"strings"

	"belfry/bench/program"
	"belfry/bench/server"
)

func measurements() map[string]program.Task {
	return map[string]program.Task{"publish": &publishing{}, "herd": &herd{}, "lock": &locking{}}
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (exitCode int) {
	defer server.Remove()
	return program.RunTask("measure", measurements(), args)
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
