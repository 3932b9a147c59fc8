//go:build !linux

package main

import (
	"errors"
	"net"
)

func raw(net.Listener, settings) error { return errors.New("raw1 needs Linux: it is built on epoll") }
