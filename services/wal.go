package services

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"gorm.io/gorm"
)

const (
	// walMost is how large SQLite's write-ahead log may become before it is emptied.
	walMost = 16 << 20
	// walEvery lies between looks at it.
	walEvery = time.Second
	// walPatience is how long readers are waited for, in ms, while every publish waits. Were they not done, it is tried again when
	// the log is twice as large.
	walPatience = "250"
	// busyTimeout is how long SQLite waits for its file otherwise, in ms.
	busyTimeout = "5000"
)

// KeepShort empties SQLite's write-ahead log where it has grown, until ctx ends. By itself SQLite begins it anew when it is written to
// while nobody reads; where pages are read without a gap that never comes, and the file grows until the disk is full.
func (d *Database) KeepShort(ctx context.Context, log *slog.Logger) {
	if d.Dialect != SQLite {
		return
	}
	tick := time.NewTicker(walEvery)
	defer tick.Stop()
	most := int64(walMost)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var err error
		if most, err = d.shortenWAL(ctx, most); err != nil && ctx.Err() == nil {
			log.Warn("the write-ahead log of the database could not be emptied; it will be tried again", "error", err)
		}
	}
}

// shortenWAL empties the log where it has so many bytes, and gives how many it may have before the next time.
func (d *Database) shortenWAL(ctx context.Context, most int64) (next int64, err error) {
	size, err := d.sizeOfWAL()
	if err != nil || size < most {
		return most, err
	}
	busy, err := d.emptyWAL(ctx)
	if busy { // a long read: to wait for it again and again would hold up more than it saves
		return 2 * size, err
	}
	return walMost, err
}

// sizeOfWAL is in bytes.
func (d *Database) sizeOfWAL() (int64, error) {
	info, err := os.Stat(d.path + "-wal")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return info.Size(), nil
}

// emptyWAL has the log's pages written into the database, and the log begin anew; busy says that somebody read for too long.
func (d *Database) emptyWAL(ctx context.Context) (busy bool, err error) {
	err = d.Write.WithContext(ctx).Connection(func(db *gorm.DB) (err error) {
		if err := db.Exec("PRAGMA busy_timeout(" + walPatience + ")").Error; err != nil {
			return err
		}
		// Also when ctx has ended: the connection goes on.
		defer func() {
			err = errors.Join(err, db.WithContext(context.WithoutCancel(ctx)).Exec("PRAGMA busy_timeout("+busyTimeout+")").Error)
		}()
		return db.Raw("PRAGMA wal_checkpoint(TRUNCATE)").Row().Scan(&busy, new(int), new(int))
	})
	return busy, err
}
