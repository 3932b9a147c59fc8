package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"belfry/bench/server"
)

// costs is CPU time, in user and in system mode.
type costs struct{ nodes, database, generator time.Duration }

func (c costs) minus(d costs) costs {
	return costs{c.nodes - d.nodes, c.database - d.database, c.generator - d.generator}
}

// usage is what each side has used so far.
func usage(s *site) costs {
	s.t.Helper()
	must := func(d time.Duration, err error) time.Duration {
		if err != nil {
			s.t.Fatal(err)
		}
		return d
	}
	c := costs{database: must(server.TreeCPUTime(s.cluster.PID())), generator: must(server.CPUTime(os.Getpid()))}
	for _, node := range s.nodes {
		c.nodes += must(server.TreeCPUTime(node.PID()))
	}
	return c
}

// profiler fetches a CPU profile of each node while it is measured. One without a folder does nothing.
type profiler struct {
	t         testing.TB
	folder    string
	addresses []string // of the internal listeners
	fetching  sync.WaitGroup
}

func newProfiler(t testing.TB, folder string) *profiler { return &profiler{t: t, folder: folder} }

// settings are those of one more node.
func (p *profiler) settings() []string {
	if p.folder == "" {
		return nil
	}
	address := server.FreeAddress(p.t)
	p.addresses = append(p.addresses, address)
	return []string{"INTERNAL_LISTEN=" + address}
}

func (p *profiler) start(duration time.Duration) {
	for i, address := range p.addresses {
		p.fetching.Go(func() {
			if err := server.Profile(p.t.Context(), address, filepath.Join(p.folder, fmt.Sprintf("node%d.pprof", i)), duration); err != nil {
				p.t.Error(err)
			}
		})
	}
}

func (p *profiler) wait() { p.fetching.Wait() }
