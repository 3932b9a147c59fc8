// Package generator loads a server of event streams from one thread and accounts for every message: thousands of
// streams over raw sockets in one epoll, and the publishers beside them. Whoever measures shares the machine with what
// is measured, so all of it is made to cost little: no goroutine and no timer a stream, no allocation a message, no
// copy but the kernel's.
//
// A Loop belongs to one goroutine, which is bound to its thread: nothing in this package locks.
package generator
