package hub

import (
	"syscall"
	"unsafe"
)

// Sockets tells whether connections can be written to without waiting for their readers.
const Sockets = true

// tryWrite makes one attempt, and gives how many bytes were taken; none is no error. It goes past the net package, whose
// own bookkeeping for each write, in three places of memory, costs a third of what the kernel takes; past the scheduler,
// which need not know of a call that never waits (MSG_DONTWAIT); and past the kernel's layer of files, which send(2) does
// not go through and write(2) does. The last two are a tenth of a delivery.
func tryWrite(fd int, text []byte) (int, error) {
	const how = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	for {
		n, _, err := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(text))), uintptr(len(text)), how, 0, 0) //nolint:gosec // the kernel only reads, and only within text
		switch err {
		case 0:
			return int(n), nil
		case syscall.EAGAIN:
			return 0, nil
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
