// Command abuse attacks a Belfry in one way after the other, and says what that did to those who use it meanwhile:
//
//	go run ./abuse verify
//
// "-h" after the name lists what can be set. It exits with 1 when an attack was not refused, or its refusal not counted, when
// a notice of the others was lost or came twice, or came much later.
package main

import (
	"os"

	"belfry/bench/program"
	"belfry/bench/server"
)

func tasks() map[string]program.Task { return map[string]program.Task{"verify": &verify{}} }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (exitCode int) {
	if len(args) == 1 && args[0] == attackerName {
		return attack(os.Stdin, os.Stdout)
	}
	defer server.Remove()
	return program.RunTask("abuse", tasks(), args)
}
