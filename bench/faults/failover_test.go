package faults_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"belfry/internal/testpg"
)

// Of the scenarios that have a world of their own.
const (
	fewPeople = 10
	lowRate   = 200
)

// failOverLagging loses the primary while its standby is behind. What was acknowledged and not yet
// copied is gone; all that can be promised is that everybody is told.
func failOverLagging(t *testing.T, line *row) {
	primary := testpg.NewCluster(t)
	wire := newLink(t, "replication", primary.Address())
	standby := primary.Standby(t, wire.Listen)
	w := newWorld(t, site{people: fewPeople, rate: lowRate, cluster: primary})
	w.publish()
	w.awaitAcks(lowRate)
	wire.Stop() // from here on the standby hears nothing
	old := headOf(t, openAdmin(t, standby))
	w.awaitAcks(lowRate / 2)
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	lost := &loss{old, time.Now()}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	w.moveTo(standby, lost, line)
	if line.void == 0 {
		t.Error("nothing was lost: the standby did not lag")
	}
	line.note = fmt.Sprintf("%d deliveries of acknowledged letters were on the lost primary alone, %s", line.void, line.note)
}

// failOverSynchronous first takes the standby away, when nothing may be acknowledged, then the primary,
// when nothing may be lost.
func failOverSynchronous(t *testing.T, line *row) {
	primary := testpg.NewCluster(t)
	standby := primary.Standby(t, primary.Address())
	w := newWorld(t, site{people: fewPeople, rate: lowRate, cluster: primary})
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()"} {
		if err := w.execute(statement); err != nil {
			t.Fatal(err)
		}
	}
	w.await("the standby counts as synchronous", func() bool {
		var state string
		return w.admin.QueryRow("SELECT sync_state FROM pg_stat_replication").Scan(&state) == nil && state == "sync"
	})
	w.publish()
	w.awaitAcks(lowRate)
	if err := standby.Stop(); err != nil {
		t.Fatal(err)
	}
	before := w.ackCount.Load()
	time.Sleep(2 * time.Second) // nothing is to happen in it
	// Those that were committed before it stopped, and whose answers were on their way.
	if more := w.ackCount.Load() - before; more > publishers {
		w.breaks(broken, "standby away", "%d letters were acknowledged that were on one disk alone", more)
	}
	if err := standby.Start(); err != nil {
		t.Fatal(err)
	}
	w.awaitAcks(lowRate)
	if err := errors.Join(primary.Kill(), standby.Promote()); err != nil {
		t.Fatal(err)
	}
	w.moveTo(standby, nil, line)
}

// restoreBackup puts yesterday's database in the place of today's, as it is done: with no node running,
// and with a new epoch as the last step.
func restoreBackup(t *testing.T, line *row) {
	cluster := testpg.NewCluster(t)
	w := newWorld(t, site{people: fewPeople, rate: lowRate, cluster: cluster})
	w.publish()
	w.awaitAcks(lowRate)
	backup := cluster.Backup(t)
	old := headOf(t, openAdmin(t, backup))
	w.awaitAcks(lowRate)
	for _, node := range w.nodes {
		node.Kill()
	}
	lost := &loss{old, time.Now()}
	if err := errors.Join(cluster.Stop(), w.lead(backup)); err != nil {
		t.Fatal(err)
	}
	if _, said, code := w.nodes[0].Run("", "epoch", "new"); code != 0 {
		t.Fatalf("belfry epoch new: exit %d, %s", code, said)
	}
	for _, node := range w.nodes {
		node.MustStart()
	}
	w.moveTo(backup, lost, line)
	line.note = fmt.Sprintf("%d deliveries of acknowledged letters were newer than the backup, %s", line.void, line.note)
}

// loss is a database that is no more: what it had behind a position, until a moment. An answer may come later than that,
// so it is when a letter was sent that counts, and that the answer names the log which is gone.
type loss struct {
	behind position
	until  time.Time
}

// headOf is where a log ends.
func headOf(t *testing.T, db *sql.DB) (h position) {
	t.Helper()
	if err := db.QueryRow("SELECT epoch, head FROM log_head").Scan(&h.epoch, &h.offset); err != nil {
		t.Fatal(err)
	}
	return h
}

// lead points all links to another database.
func (w *world) lead(to *cluster) error {
	var faults []error
	for _, node := range w.nodes {
		faults = append(faults, node.query.leadTo(to.Address()), node.listen.leadTo(to.Address()))
	}
	return errors.Join(faults...)
}

// moveTo goes on with another database and ends the load when all is well. What was lost with the old one
// may be missing, and everybody has to be told of it; nothing else may be missing.
func (w *world) moveTo(to *cluster, lost *loss, line *row) {
	w.t.Helper()
	if lost != nil {
		w.gone = func(s sent) bool {
			return s.at.epoch == lost.behind.epoch && s.at.offset > lost.behind.offset && s.asked.Before(lost.until)
		}
	}
	if err := w.lead(to); err != nil {
		w.t.Fatal(err)
	}
	line.recovers(w.load)
	w.awaitAcks(lowRate)
	b, wrong, _ := w.end()
	line.add(b, wrong)
	told := 0
	for reader, book := range w.books {
		if len(book.resets) > 0 {
			told++
		} else if lost != nil {
			line.breaks(gap, reader, "was not told by a reset")
		}
	}
	line.note = fmt.Sprintf("%d of %d streams were told by reset", told, len(w.books))
	w.t.Log(b)
}
