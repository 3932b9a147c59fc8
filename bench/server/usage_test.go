package server

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A shell with a busy child: what both use counts, once, by both clocks.
func TestTreeCounts(t *testing.T) {
	process, err := Start(exec.Command("sh", "-c", "while :; do :; done & wait"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		pids, _ := tree(process.PID())
		for _, pid := range pids[1:] {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		process.Kill()
	}()
	deadline := time.Now().Add(20 * time.Second)
	for {
		exact, err := TreeRunTime(process.PID())
		if err != nil {
			t.Fatal(err)
		}
		stepped, err := TreeCPUTime(process.PID())
		if err != nil {
			t.Fatal(err)
		}
		if exact >= 100*time.Millisecond {
			if off := exact - stepped; off < -40*time.Millisecond || off > 40*time.Millisecond {
				t.Errorf("%v by one clock, %v by the other", exact, stepped)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v and %v are all it used", exact, stepped)
		}
		time.Sleep(lookEvery)
	}
	memory, err := TreeMemory(process.PID())
	if err != nil || memory.Resident < 200 || memory.Proportional < 20 || memory.Proportional > memory.Resident {
		t.Errorf("%+v, %v", memory, err)
	}
	if _, err := TreeMemory(os.Getpid() + 1<<22); err == nil {
		t.Error("of a process that is not there")
	}
}

const lookEvery = 10 * time.Millisecond
