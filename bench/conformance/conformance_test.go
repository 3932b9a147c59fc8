// Package conformance_test has the usual clients of event streams, as they are, judge what the real
// server sends.
package conformance_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"belfry/bench/server"
)

var seed = flag.Uint64("seed", 1, "draws texts and cuts")

func TestMain(m *testing.M) {
	flag.Parse()
	if err := install(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	server.Remove()
	os.Exit(code)
}
