//go:build !linux

package generator

import (
	"errors"
	"net/netip"
	"time"
)

var errLinux = errors.New("the load generator needs Linux: it is built on epoll")

type poller struct{}

func newPoller() (*poller, error)                               { return nil, errLinux }
func (*poller) close()                                          {}
func (*poller) wait(time.Duration) (int, error)                 { return 0, errLinux }
func (*poller) at(int) (fd int, readable, writable, ended bool) { return 0, false, false, false }
func (*poller) add(int) error                                   { return errLinux }
func (*poller) news(int) error                                  { return errLinux }
func (*poller) watch(int, bool) error                           { return errLinux }
func connect(netip.AddrPort, netip.Addr) (fd int, err error)    { return 0, errLinux }
func again(error) bool                                          { return false }
func read(int, []byte) (int, error)                             { return 0, errLinux }
func write(int, []byte) (int, error)                            { return 0, errLinux }
func pause(time.Duration)                                       {}
func reset(int)                                                 {}
func cpuTime() time.Duration                                    { return 0 }
