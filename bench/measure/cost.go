package main

import (
	"fmt"
	"io"
	"net/http"
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
		c.nodes += must(server.CPUTime(node.PID()))
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
			url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", address, max(duration.Seconds(), 1))
			if err := fetch(p.t, url, filepath.Join(p.folder, fmt.Sprintf("node%d.pprof", i))); err != nil {
				p.t.Errorf("%s: %v", url, err)
			}
		})
	}
}

func (p *profiler) wait() { p.fetching.Wait() }

// fetch saves what is at an address.
func fetch(t testing.TB, url, path string) error {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", response.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(file, response.Body)
	return err
}
