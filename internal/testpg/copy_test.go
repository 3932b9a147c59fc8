package testpg

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const countKept = "SELECT count(*) FROM kept"

func do(t *testing.T, c *Cluster, statement string) {
	t.Helper()
	if _, err := open(t, c.DSN()).Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestStandbyFollowsAndTakesOver(t *testing.T) {
	primary := NewCluster(t)
	do(t, primary, "CREATE TABLE kept (id int)")
	standby, backup := primary.Standby(t, primary.Address()), primary.Backup(t)
	do(t, primary, "INSERT INTO kept VALUES (1)")
	reading := open(t, standby.DSN())
	for deadline := time.Now().Add(startTimeout); count(t, reading, countKept) != 1; time.Sleep(pingEvery) {
		if time.Now().After(deadline) {
			t.Fatal("the standby does not follow")
		}
	}
	if n := count(t, open(t, backup.DSN()), countKept); n != 0 {
		t.Errorf("the backup has %d rows of later", n)
	}
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	do(t, standby, "INSERT INTO kept VALUES (2)")
	do(t, backup, "INSERT INTO kept VALUES (3)")
	if primary.Running() || !standby.Running() {
		t.Error("who runs is not known")
	}
}

func TestSmallClusterRunsFull(t *testing.T) {
	c := NewSmallCluster(t, 96)
	do(t, c, "CREATE TABLE kept (id int)")
	var disk syscall.Statfs_t
	if err := syscall.Statfs(c.DataDir(), &disk); err != nil {
		t.Fatal(err)
	}
	if mebibytes := int64(disk.Blocks) * disk.Bsize >> 20; mebibytes != 96 {
		t.Errorf("a disk of %d MiB", mebibytes)
	}
	if err := os.WriteFile(filepath.Join(c.DataDir(), "ballast"), make([]byte, (disk.Bavail+1)*uint64(disk.Bsize)), 0o600); err == nil {
		t.Error("there is more room than the disk has")
	}
}
