// Package machine says what something was measured on.
package machine

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Describe names the processor, the kernel and the version of Go.
func Describe() string {
	model, kernel := "an unknown processor", "an unknown kernel"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, found := strings.Cut(string(text), "model name"); found {
			line, _, _ := strings.Cut(after, "\n")
			model = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel, _, _ = strings.Cut(strings.TrimSpace(string(text)), "-") // what follows is a distributor's
	}
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, kernel, runtime.Version())
}

// Memory is how many bytes the machine has; 0 where it does not say.
func Memory() float64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	var kib float64
	_, _ = fmt.Sscanf(string(text), "MemTotal: %f kB", &kib) // else it stays 0
	return kib * 1024
}

// Descriptors is how many files and sockets a process may have open.
func Descriptors() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	return int(min(limit.Max, 1<<30)), nil
}

// Conditions says what else a figure depends on: memory, descriptors, ports, what a durable write costs in a folder, and
// how busy the machine was before.
func Conditions(dir string) (string, error) {
	descriptors, err := Descriptors()
	if err != nil {
		return "", err
	}
	fsync, err := fsyncCost(dir)
	if err != nil {
		return "", err
	}
	first := func(path string, fields int) string {
		text, err := os.ReadFile(path)
		if err != nil {
			return "unknown"
		}
		all := strings.Fields(string(text))
		return strings.Join(all[:min(fields, len(all))], "–")
	}
	return fmt.Sprintf("%.1f GiB of memory, fsync of 8 KiB %.2f ms, %d descriptors a process, ports %s, load before %s", Memory()/(1<<30),
		float64(fsync.Microseconds())/1000, descriptors, first("/proc/sys/net/ipv4/ip_local_port_range", 2), first("/proc/loadavg", 1)), nil
}

// fsyncCost is the median of some writes of a page of PostgreSQL's, each made durable.
func fsyncCost(dir string) (time.Duration, error) {
	file, err := os.CreateTemp(dir, "fsync")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	var took []time.Duration
	for range 101 {
		began := time.Now()
		if _, err := file.Write(make([]byte, 8<<10)); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
