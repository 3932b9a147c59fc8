package services

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// HeldError says that another process has the SQLite file. Two processes on one file would each
// believe that they alone write the log.
type HeldError struct {
	Path string
	PID  int // 0 when it could not be told
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is held by another process", e.Path)
	}
	return fmt.Sprintf("%s is held by process %d", e.Path, e.PID)
}

// holdFile takes an advisory lock beside the database file and writes our process id into it. The
// kernel gives the lock up when the process ends, however it ends.
func holdFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, closeAfter(f, err)
		}
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, closeAfter(f, &HeldError{Path: path, PID: pid})
	}
	if err := f.Truncate(0); err != nil {
		return nil, closeAfter(f, err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, closeAfter(f, err)
	}
	return f, nil
}
