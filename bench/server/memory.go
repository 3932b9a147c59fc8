package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Memory is what processes hold in memory, in KiB.
type Memory struct {
	Resident     int64 // RSS: shared pages count for each process
	Proportional int64 // PSS: shared pages count by their share
}

// TreeMemory is that of a process and its children.
func TreeMemory(pid int) (sum Memory, err error) {
	pids, err := tree(pid)
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return sum, err
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			switch name {
			case "Rss":
				sum.Resident += kib
			case "Pss":
				sum.Proportional += kib
			}
		}
	}
	return sum, err
}

// TreeRunTime is the time that the threads of a process and its children have run. It is as exact as the kernel's own
// clock, where TreeCPUTime counts in steps of 10 ms, but of threads and children that have ended it knows nothing: it
// is for servers that keep theirs.
func TreeRunTime(pid int) (sum time.Duration, err error) {
	pids, err := tree(pid)
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			return 0, err
		}
		for _, thread := range threads {
			text, err := os.ReadFile(thread)
			if err != nil {
				continue // it has ended by now
			}
			first, _, _ := strings.Cut(string(text), " ")
			ns, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %q", thread, text)
			}
			sum += time.Duration(ns)
		}
	}
	return sum, err
}

// tree is a process and its children.
func tree(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	pids := []int{pid}
	for field := range strings.FieldsSeq(string(text)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		pids = append(pids, child)
	}
	return pids, nil
}
