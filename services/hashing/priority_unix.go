//go:build unix

package hashing

import (
	"os/exec"
	"os/signal"
	"syscall"
)

// niceness is the priority (setpriority(2)): beside a server that takes all it can get, a tenth of a processor is left for
// passwords. At 19 it would be a hundredth, and nobody could sign in.
const niceness = 10

// apart makes the process a group of its own: what giveWay says holds for all of its threads, and an interrupt from the
// terminal is for the server alone.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func giveWay(pid int) error { return syscall.Setpriority(syscall.PRIO_PGRP, pid, niceness) }

func ignoreSignals() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
}
