package faults_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"belfry/bench/report"
	"belfry/bench/server"
	"belfry/bench/stream"
)

// TestTerminateWithOpenStreams asks a server with 200 streams to end.
func TestTerminateWithOpenStreams(t *testing.T) {
	const (
		people, each = 10, 20
		drain        = 3 * time.Second
	)
	node := server.New(t, server.SQLite(t), "DRAIN="+drain.String())
	var names []string
	for i := range people {
		names = append(names, fmt.Sprintf("ringer%d", i))
	}
	node.AddUser(names...)
	node.MustStart()
	var begun, reading sync.WaitGroup
	var pauses, ends atomic.Int64
	for _, name := range names {
		as := node.Login(t, name)
		for range each {
			begun.Add(1)
			reading.Go(func() {
				if readUntilPause(t, node, as, begun.Done) {
					pauses.Add(1)
				}
				ends.Add(1)
			})
		}
	}
	begun.Wait()
	began := time.Now()
	if err := node.Process().Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := node.Process().Await(drain + patience); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	reading.Wait()
	if code := node.Process().ExitCode(); code != 0 || pauses.Load() != people*each {
		t.Errorf("exit %d, %d of %d streams got pause", code, pauses.Load(), people*each)
	}
	report.Write(t, "drain", fmt.Sprintf("SIGTERM with %d open streams: exit %d after %.1f s (DRAIN %v), pause on %d\n",
		people*each, node.Process().ExitCode(), took.Seconds(), drain, pauses.Load()))
}

// readUntilPause reads one connection to its end and says whether pause was the last it said.
func readUntilPause(t *testing.T, node *server.Node, as *server.Caller, begun func()) bool {
	once := sync.OnceFunc(begun)
	defer once()
	last := stream.Event{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := stream.New(node.Base, "/sse/stream", as.Cookie).Once(ctx, func(e stream.Event) bool {
		if e.Name == "hello" {
			once()
		}
		last = e
		return true
	})
	if err != nil {
		t.Error(err)
	}
	return last.Name == "pause" && last.Retry >= time.Second
}
