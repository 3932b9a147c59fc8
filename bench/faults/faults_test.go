// Package faults_test breaks the real server on purpose and balances what publishers were told
// against what readers got.
package faults_test

import (
	"flag"
	"os"
	"testing"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

// The sizes of the crash tests. The defaults are what counts; smaller ones are for trying.
var (
	seed  = flag.Uint64("seed", 1, "draws recipients and moments of faults")
	rate  = flag.Int("rate", 2000, "letters a second to publish")
	kills = flag.Int("kills", 20, "crashes of the server")
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := testpg.Run(m, nil)
	server.Remove()
	os.Exit(code)
}
