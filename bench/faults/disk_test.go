package faults_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

// fullFor is how long a disk stays full once publishers are told 503.
const fullFor = 2 * time.Second

// fillPostgres fills the disk under PostgreSQL, which refuses to write or ends, and makes room again.
func fillPostgres(t *testing.T, line *row) {
	cluster := testpg.NewSmallCluster(t, 192, "min_wal_size=32MB", "max_wal_size=64MB")
	w := newWorld(t, site{people: fewPeople, rate: lowRate, cluster: cluster})
	w.publish()
	w.awaitAcks(lowRate)
	fill(t, w.load, cluster.DataDir())
	if !cluster.Running() {
		line.note = "PostgreSQL ended; it was started again"
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
	}
	line.recovers(w.load)
	w.awaitAcks(lowRate)
	b, wrong, _ := w.end()
	line.add(b, wrong)
}

// fillSQLite does the same under the file of a single node.
func fillSQLite(t *testing.T, line *row) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	node := server.New(t, "sqlite:"+filepath.Join(dir, "belfry.db"))
	names, key := people(node)
	node.MustStart()
	l := newLoad(t, lowRate, names, node.ByKey(key))
	l.read(node)
	l.publish()
	l.awaitAcks(lowRate)
	pid := node.PID()
	fill(t, l, dir)
	line.recovers(l)
	l.awaitAcks(lowRate)
	line.add(l.close(nil))
	if node.PID() != pid {
		t.Error("Belfry was restarted")
	}
	node.Kill() // before its disk is taken away
}

// fill writes a file until nothing more fits, keeps the disk full for a while, and deletes it.
func fill(t *testing.T, l *load, dir string) {
	t.Helper()
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	busy := l.busyNow()
	piece := make([]byte, 64<<10)
	top := func() bool { // what is freed meanwhile is taken too
		_, err := ballast.Write(piece)
		for err == nil {
			_, err = ballast.Write(piece)
		}
		return errors.Is(err, syscall.ENOSPC) && l.busyNow() > busy
	}
	if !within(patience, top) {
		t.Errorf("nobody was told 503 while the disk was full: %d", l.busyNow()-busy)
	}
	time.Sleep(fullFor)
	if err := errors.Join(ballast.Truncate(0), os.Remove(ballast.Name())); err != nil {
		t.Fatal(err)
	}
}
