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

// The sizes of the runs. The defaults are those of the short set.
var (
	seed    = flag.Uint64("seed", 1, "draws recipients, faults and their moments")
	rate    = flag.Int("rate", 300, "letters a second to publish while faults of the table are on")
	steady  = flag.Int("steady", 2000, "letters a second to publish while one server crashes")
	kills   = flag.Int("kills", 10, "crashes of that server")
	crowd   = flag.Int("people", 40, "people who read, each over three streams")
	minutes = flag.Float64("minutes", 0.5, "how long faults of the table come, at the least")
	only    = flag.String("only", "", "inject these alone, by their names in the table, separated by commas")
	without = flag.String("without", "", "inject all but these")
	beside  = flag.String("beside", "", "a second build, older or newer, that the second node runs")
	oneNode = flag.Bool("onenode", false, "publish through one node alone")
	verdict = flag.String("verdict", "", "a file to write, as JSON, how many promises were broken by fault")
	binary  = flag.String("binary", "", "another build of belfry to run")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *binary != "" {
		if err := os.Setenv("BELFRY_BIN", *binary); err != nil {
			panic(err)
		}
	}
	code := testpg.Run(m, nil)
	server.Remove()
	os.Exit(code)
}
