package services

import (
	"context"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
)

// readWithoutGap reads without a gap, some at a time, each for so long, until stop.
func (n *node) readWithoutGap(t *testing.T, each time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var readers, begun sync.WaitGroup
	begun.Add(sqliteReadConns)
	for range sqliteReadConns {
		readers.Go(func() {
			begin := sync.OnceFunc(begun.Done)
			for ctx.Err() == nil {
				_ = n.db.snapshot(ctx, func(tx *gorm.DB) error {
					err := tx.Exec("SELECT count(*) FROM users").Error
					begin()
					select {
					case <-ctx.Done():
					case <-time.After(each):
					}
					return err
				})
			}
		})
	}
	begun.Wait()
	return func() { cancel(); readers.Wait() }
}

// TestWALStaysShort: reads that always overlap do not let SQLite's write-ahead log grow without end; one that takes long is not
// waited for again until the log is twice as large.
func TestWALStaysShort(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t))
	n.run(t, "CREATE TABLE written (bytes blob)")
	const bytes, often = 4_000_000, 40 // a busy machine may miss a gap, and then waits for twice as much
	write := func() { n.run(t, "INSERT INTO written VALUES (randomblob(?))", bytes) }

	stop := n.readWithoutGap(t, 20*time.Millisecond)
	most, emptied, written := int64(walMost), 0, 0
	for ; emptied < 2 && written < often; written++ {
		write()
		before := got(n.db.sizeOfWAL())(t)
		most = got(n.db.shortenWAL(t.Context(), most))(t)
		if after := got(n.db.sizeOfWAL())(t); after < before {
			emptied++
		}
	}
	stop()
	if size := got(n.db.sizeOfWAL())(t); emptied < 2 || size > walMost+2*bytes {
		t.Errorf("of %d bytes written %d are in the write-ahead log, which was emptied %d times", written*bytes, size, emptied)
	}

	stop = n.readWithoutGap(t, time.Minute)
	defer stop()
	for most = walMost; most == walMost; most = got(n.db.shortenWAL(t.Context(), most))(t) {
		write()
	}
	if size := got(n.db.sizeOfWAL())(t); most != 2*size {
		t.Errorf("behind a long read the log has %d bytes, and is looked at next when it has %d", size, most)
	}
}
