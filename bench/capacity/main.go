// Command capacity says how much a Belfry takes on the machine it runs on, and whether it holds out:
//
//	go run ./capacity find                     how many streams and notices a second fit within bounds
//	go run ./capacity soak -minutes 60         an hour of a moderate load: does anything grow, is anything lost
//	go run ./capacity plot FILE.json OUT.svg   judges and draws what "soak -json" saved
//
// "-h" after the name lists what can be set. It exits with 1 when something was lost, or grew.
package main

import (
	"fmt"
	"os"

	"belfry/bench/program"
	"belfry/bench/server"
)

func tasks() map[string]program.Task {
	return map[string]program.Task{"find": &find{}, "soak": &soak{}}
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (exitCode int) {
	if len(args) > 0 && args[0] == "plot" {
		if err := plot(args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "capacity:", err)
			return 1
		}
		return 0
	}
	defer server.Remove()
	if exitCode = program.RunTask("capacity", tasks(), args); exitCode == 2 {
		fmt.Fprintln(os.Stderr, "   or: capacity plot FILE.json OUT.svg")
	}
	return exitCode
}
