package testpg

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// lockDir marks a directory as in use for as long as the returned file is open.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep deletes what tests that were killed have left behind. The age keeps it from a directory
// that is made at this moment and not yet locked.
func sweep() {
	disk, _ := filepath.Glob(onDisk + "*")
	memory, _ := filepath.Glob(inMemory + "*")
	for _, dir := range slices.Concat(disk, memory) {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if lock, err := lockDir(dir); err == nil {
			_ = syscall.Unmount(filepath.Join(dir, "data"), 0) // fails where it is no file system of its own
			_ = os.RemoveAll(dir)
			_ = lock.Close()
		}
	}
}
