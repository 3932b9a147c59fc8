package main

import (
	"os"
	"testing"

	"belfry/bench/program"
	"belfry/bench/server"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == attackerName { // a test's own attacker
		os.Exit(run(os.Args[1:]))
	}
	code := m.Run()
	server.Remove()
	os.Exit(code)
}

// TestVerify: each attack is refused and counted, and no notice of the others is lost or comes twice. What takes its time to be
// too late, or large, is tested in the server's own tests, and how late others become is for a machine that does nothing else.
func TestVerify(t *testing.T) {
	printed := program.Output(t, &verify{}, "-slices=1", "-slice=50ms", "-settle=300ms", "-most=0", "-streams=20", "-without=slow heads;slow bodies;large bodies, declared;large bodies, in chunks")
	program.Wants(t, printed, `\| huge heads \| .*431: [1-9]`, `Bystanders: [1-9]\d* notices acknowledged, 0 refused; [1-9]\d* deliveries, lost 0, doubled 0,`)
}
