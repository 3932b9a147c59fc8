package handlers_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// logLoad is how much is written to a log and how fast: TASK_LOG=100@5 stands for 100 MB at 5 MB/s. Without it, and without a
// rate, as much as suits every run, as fast as it goes.
func logLoad(t *testing.T) (size int, rate float64) {
	t.Helper()
	mb, perSecond, paced := strings.Cut(os.Getenv("TASK_LOG"), "@")
	if mb == "" {
		return 2 << 20, 0
	}
	n, err := strconv.Atoi(mb)
	if err == nil && paced {
		rate, err = strconv.ParseFloat(perSecond, 64)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n << 20, rate
}

// TestTaskReadersAtSpeed has fifty readers join, leave and come back at random bytes of a log that is being written. Each ends up
// with the log, byte by byte, though one of them, beside them, never reads at all.
//
//	TASK_LOG=100@5 go test ./handlers -run TestTaskReadersAtSpeed -v
func TestTaskReadersAtSpeed(t *testing.T) {
	const readers = 50
	size, rate := logLoad(t)
	onEach(t, func(set *settings) {
		set.streams.PerUser = 10 * readers // who leaves is not noticed at once
		set.streams.Heartbeat = time.Second
	}, func(s *site) {
		system, anna := s.taskCast()
		task := system.newTask("anna")
		stuck := anna.stuck(following(task))
		defer stuck.Close()
		of := logReaders{Readers: readers, Log: s.url + task + "/log", Stream: s.url + following(task), Cookie: anna.cookieName() + "=" + anna.cookie}
		before, usedBefore := resident(), processorTime()
		peak := watchMemory(s)
		end := of.begin(s)
		began := time.Now()
		want, acks := system.writeLog(task, size, rate)
		wrote := time.Since(began)
		read, theirs := end()
		took, used := time.Since(began), processorTime()-usedBefore
		for i, r := range read {
			if r.Fault != "" || r.Sum != want {
				s.Errorf("reader %d has another log: %s", i, r.Fault)
			}
		}
		late := acks.late(read)
		at := func(share float64) time.Duration {
			return late[int(share*float64(len(late)-1))].Round(time.Millisecond)
		}
		mb := float64(size) / (1 << 20)
		report(s, "task-readers-"+s.db.Dialect, fmt.Sprintf("%d readers of %.0f MB, written in %.1f s (%.1f MB/s), read in %.1f s (%.0f MB/s in all); "+
			"late by %v half of the time, %v 99 of 100 times, %v at most; the server: %d MB before, %d MB at most, %.1f s of processor time, the readers %.1f s\n",
			readers, mb, wrote.Seconds(), mb/wrote.Seconds(), took.Seconds(), readers*mb/took.Seconds(),
			at(0.5), at(0.99), at(1), before>>20, peak()>>20, used.Seconds(), theirs.Seconds()))
		if rate > 0 {
			s.Logf("a writer that has nothing else to do: %.0f MB/s in all", rawRate(s, readers, size/4))
		}
	})
}

// watchMemory looks how much memory this process has, and tells the most when it is asked.
func watchMemory(t testing.TB) (peak func() int64) {
	t.Helper()
	var most int64
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			most = max(most, resident())
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	})
	return func() int64 {
		close(stop)
		watching.Wait()
		return most
	}
}

// processorTime is how much of it this process has had.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// stuck opens a stream and reads no more of it than its head.
func (c *client) stuck(path string) io.Closer {
	c.Helper()
	resp, err := c.streams.Do(c.request(http.MethodGet, path, nil))
	if err != nil || resp.StatusCode != http.StatusOK {
		c.Fatal(resp, err)
	}
	return resp.Body
}

// resident is how much memory this process has, in bytes.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// writeLog writes lines of every length, cut anywhere, and finishes. It gives their sum, and when what was there.
func (c *client) writeLog(task string, size int, rate float64) (string, written) {
	var acks written
	c.Helper()
	sum, random := sha256.New(), rand.New(rand.NewPCG(7, 7))
	var block []byte
	for len(block) < 900<<10 {
		block = append(append(block, strings.Repeat([]string{"x", "漢é "}[random.IntN(2)], random.IntN(200))...), '\n')
	}
	began, end := time.Now(), 0
	for end < size {
		rest := block[end%len(block):] // again and again
		piece := rest[:min(len(rest), 1+random.IntN(200_000))]
		if end+len(piece) >= size { // up to the end of a line
			piece = rest[:min(len(rest), size-end)+bytes.IndexByte(rest[min(len(rest), size-end)-1:], '\n')]
		}
		if got := c.post(fmt.Sprintf("%s/log?offset=%d", task, end), piece).want(200).int("end"); got != int64(end+len(piece)) {
			c.Errorf("end %d", got)
		}
		sum.Write(piece)
		end += len(piece)
		acks = append(acks, sighting{int64(end), time.Now()})
		if rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(end) / rate / (1 << 20) * float64(time.Second)))))
		}
	}
	c.finish(task, "succeeded").want(200)
	return fmt.Sprintf("%x", sum.Sum(nil)), acks
}
