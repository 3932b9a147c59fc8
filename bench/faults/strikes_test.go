package faults_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

type cluster = testpg.Cluster

// statementTimeout bounds what a fault itself asks the database.
const statementTimeout = 20 * time.Second

func killNode(w *world, i int) (func() error, error) {
	w.nodes[i].Kill()
	return func() error { return startNode(w.nodes[i].Node) }, nil
}

// startNode does what a supervisor does: it tries until the node stays, for its database may be away.
func startNode(node *server.Node) error {
	var err error
	if within(patience, func() bool { err = node.Start(); return err == nil }) {
		return nil
	}
	return err
}

func stopNode(w *world, i int) (func() error, error) {
	process := w.nodes[i].Process()
	return func() error { return process.Signal(syscall.SIGCONT) }, process.Signal(syscall.SIGSTOP)
}

// replaceNode ends a node in good order and starts it anew, as an update does.
func replaceNode(w *world, i int) (func() error, error) {
	node := w.nodes[i]
	if err := node.Process().Signal(syscall.SIGTERM); err != nil {
		return nil, err
	}
	if err := node.Process().Await(patience); err != nil {
		return nil, err
	}
	if code := node.Process().ExitCode(); code != 0 {
		w.breaks(broken, node.Base, "exit %d after SIGTERM", code)
	}
	return func() error { return startNode(node.Node) }, nil
}

// holdLock takes the lock that all publishers need, as one that was stopped between lock and commit would.
func holdLock(w *world, _ int) (func() error, error) {
	return w.session("BEGIN", "SELECT pg_advisory_xact_lock(822301)")
}

// longTransaction writes elsewhere in the same database and does not commit. A reader that waits for the
// oldest transaction would wait for it.
func longTransaction(w *world, _ int) (func() error, error) {
	return w.session("BEGIN", "CREATE TABLE IF NOT EXISTS stranger (id bigint)", "INSERT INTO stranger VALUES (1)")
}

// holdTable takes the lock that a change of the schema takes.
func holdTable(w *world, _ int) (func() error, error) {
	return w.session("BEGIN", "LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
}

// holdQueue listens and then sits in a transaction, so that PostgreSQL can drop no notification.
func holdQueue(w *world, _ int) (func() error, error) {
	return w.session("LISTEN belfry_log", "BEGIN", "SELECT 1")
}

// session does something on a connection of its own and stays there. The way back ends its transaction and
// what it listens to.
func (w *world) session(statements ...string) (func() error, error) {
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	conn, err := w.admin.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return func() error {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK; UNLISTEN *")
		return errors.Join(err, conn.Close())
	}, nil
}

// restartDatabase ends PostgreSQL in one of three ways and starts it again.
func restartDatabase(end func(*cluster) error) func(*world, int) (func() error, error) {
	return func(w *world, _ int) (func() error, error) {
		return w.cluster.Start, end(w.cluster)
	}
}

// loseReplies lets a node's statements through to the database and nothing back, until the connections are
// closed: what was committed meanwhile, the node does not know of.
func loseReplies(w *world, i int) (func() error, error) {
	return w.nodes[i].query.poison("timeout", "downstream", `"timeout": 150`)
}

func cutQueries(w *world, i int) (func() error, error) { return nil, w.nodes[i].query.flap() }

func farDatabase(w *world, i int) (func() error, error) {
	return w.nodes[i].query.poison("latency", "downstream", `"latency": 80, "jitter": 40`)
}

// useUpConnections takes every connection that the database has left, cuts those of the nodes, and takes
// what became free by that, so that they find few or none.
func useUpConnections(w *world, _ int) (func() error, error) {
	var taken []*sql.Conn
	take := func() {
		for {
			ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
			conn, err := w.admin.Conn(ctx)
			cancel()
			if err != nil {
				return // there are no more
			}
			taken = append(taken, conn)
		}
	}
	take()
	err := errors.Join(w.nodes[0].query.flap(), w.nodes[1].query.flap())
	take()
	return func() error {
		for _, conn := range taken {
			_ = conn.Close()
		}
		return nil
	}, err
}

// stepClock sets the database's clock as Belfry reads it. The machine's own cannot be set for one process.
func stepClock(by time.Duration) func(*world, int) (func() error, error) {
	const function = "CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + %d $$"
	return func(w *world, _ int) (func() error, error) {
		return func() error { return w.execute(fmt.Sprintf(function, 0)) }, w.execute(fmt.Sprintf(function, by.Milliseconds()))
	}
}

func terminateListeners(w *world, _ int) (func() error, error) {
	return nil, w.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query LIKE '%pg_notify%' AND pid <> pg_backend_pid()")
}

func (w *world) execute(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	_, err := w.admin.ExecContext(ctx, statement)
	return err
}

// holeListener leaves a node's connection for hints open, and lets nothing through either way.
func holeListener(w *world, i int) (func() error, error) {
	up, err := w.nodes[i].listen.poison("timeout", "upstream", `"timeout": 0`)
	if err != nil {
		return nil, err
	}
	down, err := w.nodes[i].listen.poison("timeout", "downstream", `"timeout": 0`)
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(up(), down()) }, nil
}

func delayHints(w *world, i int) (func() error, error) {
	return w.nodes[i].listen.poison("latency", "downstream", `"latency": 3000, "jitter": 2000`)
}

// forgeHints announces what is old, what is not there yet, and what is no offset at all, again and again.
func forgeHints(w *world, _ int) (func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var forging sync.WaitGroup
	forging.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			for _, payload := range []string{"1", fmt.Sprint(1 << 40), fmt.Sprint(n), "-7", "nonsense", ""} {
				_, _ = w.admin.ExecContext(ctx, "SELECT pg_notify('belfry_log', $1)", payload) // the database may be away
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() error { cancel(); forging.Wait(); return nil }, nil
}

// flapDoor cuts all clients of a node off, several times a second.
func flapDoor(w *world, i int) (func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := w.nodes[i].door.flap(); err != nil {
				failed <- err
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		failed <- nil
	}()
	return func() error { cancel(); return <-failed }, nil
}

// cutFrames ends every connection after some bytes, which is in the middle of an event.
func cutFrames(w *world, i int) (func() error, error) {
	return w.nodes[i].door.poison("limit_data", "downstream", `"bytes": 2111`)
}

// holeDoor leaves the clients' connections open and lets nothing through to them.
func holeDoor(w *world, i int) (func() error, error) {
	return w.nodes[i].door.poison("timeout", "downstream", `"timeout": 0`)
}

func reloadNginx(w *world, _ int) (func() error, error) { return nil, w.nginx.Reload() }

func stopNginx(w *world, _ int) (func() error, error) {
	w.nginx.Stop()
	return w.nginx.Start, nil
}

// shutDoors leaves nginx alone with nobody to ask.
func shutDoors(w *world, _ int) (func() error, error) {
	for _, node := range w.nodes {
		node.door.Stop()
	}
	return func() error { return errors.Join(w.nodes[0].door.Start(), w.nodes[1].door.Start()) }, nil
}
