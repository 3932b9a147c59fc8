package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat; the kernel tells programs 100 Hz whatever it runs at itself.
const tick = time.Second / 100

// CPUTime is what a process has used so far, in user and in system mode, to 10 ms. The children that
// it has waited for count as its own.
func CPUTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold spaces; what follows it is fields 3 and on (proc_pid_stat(5)).
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const utime, cstime = 14 - 3, 17 - 3
	if len(fields) <= cstime {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	var sum time.Duration
	for _, field := range fields[utime : cstime+1] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// TreeCPUTime is CPUTime of a process and its children together, as of PostgreSQL, which has one for
// each connection.
func TreeCPUTime(pid int) (sum time.Duration, err error) {
	pids, err := tree(pid)
	for i, pid := range pids {
		used, err := CPUTime(pid)
		if err != nil && i == 0 {
			return 0, err
		}
		sum += used // 0 of a child that has ended by now: it counts with its parent
	}
	return sum, err
}
