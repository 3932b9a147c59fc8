package testpg

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
)

// standbyName is what a standby calls itself to its primary; synchronous_standby_names may name it.
const standbyName = "standby"

// Standby starts a copy of the server that follows it, over a connection to address (host:port): the
// server's own, or one that leads there and can be cut. It answers queries that only read.
func (c *Cluster) Standby(t testing.TB, address string) *Cluster {
	t.Helper()
	return testCluster(t, append(c.settings[:len(c.settings):len(c.settings)], "cluster_name="+standbyName), func(copied *Cluster) error {
		return copied.copyFrom(address, "--write-recovery-conf")
	})
}

// Backup starts a server of its own from a copy of what the other holds at this moment.
func (c *Cluster) Backup(t testing.TB) *Cluster {
	t.Helper()
	return testCluster(t, c.settings, func(copied *Cluster) error { return copied.copyFrom(c.Address()) })
}

// Promote makes a standby a primary, on a timeline of its own, and returns when it takes writes.
func (c *Cluster) Promote() error {
	db, err := sql.Open("pgx", c.DSN())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	var done bool
	if err := db.QueryRowContext(ctx, "SELECT pg_promote(true)").Scan(&done); err != nil || !done {
		return fmt.Errorf("promote: %v, %w", done, err)
	}
	return nil
}

func (c *Cluster) copyFrom(address string, options ...string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	return run(c.command("pg_basebackup", append([]string{"-D", c.data(), "-h", host, "-p", port, "-U", "postgres",
		"--checkpoint=fast", "--wal-method=stream", "--no-sync"}, options...)...))
}

// NewSmallCluster is NewCluster on a disk of so many MiB, which is a file system in memory: the test
// can fill what is free in [Cluster.DataDir]. Without root it is skipped.
func NewSmallCluster(t testing.TB, mebibytes int, settings ...string) *Cluster {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("testpg: only root can mount a file system")
	}
	return testCluster(t, settings, func(c *Cluster) error {
		if err := os.Mkdir(c.data(), 0o700); err != nil {
			return err
		}
		options := fmt.Sprintf("size=%dm,uid=%d,gid=%d,mode=0700", mebibytes, c.owner.Uid, c.owner.Gid)
		if err := syscall.Mount("tmpfs", c.data(), "tmpfs", 0, options); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
		c.mounted = true
		return c.initialise()
	})
}

// DataDir is where the server keeps its files.
func (c *Cluster) DataDir() string { return c.data() }

// Address is the host and port of the server.
func (c *Cluster) Address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port))
}
