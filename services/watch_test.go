package services

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"belfry/models"
)

func soonIdle(l *models.SessionLimits, _ *StreamSettings) {
	l.Idle, l.Warning = 5*time.Second, 2*time.Second
}

// TestWarningDoesNotFollowTheLock: a session that is locked by hand while its row is read, shortly before its time, is not
// told afterwards that it is about to lock.
func TestWarningDoesNotFollowTheLock(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t), soonIdle)
	n.person(t, "ann")
	l, cookie := n.signIn(t, "ann")
	rows, told := n.sessions.rows, make(chan error, 1)
	var once atomic.Bool
	heard := func(ctx context.Context) error { // that the log has told the watch
		watched := n.Streams.watches
		for watched.changesOf([]string{l.ID})[l.ID] == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
		return nil
	}
	n.sessions.rows = func(ctx context.Context, ids ...string) ([]*Live, error) {
		lives, err := rows(ctx, ids...)
		if len(lives) == 1 && n.sessions.impending(lives[0].Verdict) != "" && once.CompareAndSwap(false, true) {
			_, err := n.sessions.lockWhere(ctx, models.ReasonManual, "id = ?", l.ID)
			told <- errors.Join(err, heard(ctx))
		}
		return lives, err
	}
	s := n.stream(t, StreamRequest{Cookie: cookie})
	s.begun(t)
	must(t, <-told)
	s.lock(t, "locked manual")
	must(t, n.sessions.EndUser(t.Context(), "ann"))
	s.lock(t, "ended admin") // and nothing between
	s.ended(t)
}

// TestStuckSessionHoldsUpNoOther: a row that somebody keeps locked delays its own session's lock alone.
func TestStuckSessionHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t), soonIdle)
	n.person(t, "ann")
	n.person(t, "bob")
	stuck, stuckCookie := n.signIn(t, "ann")
	time.Sleep(100 * time.Millisecond) // the two are not to fall due together
	_, cookie := n.signIn(t, "bob")
	rows, hangs, begin := n.sessions.rows, make(chan struct{}, 100), make(chan struct{})
	n.sessions.rows = func(ctx context.Context, ids ...string) ([]*Live, error) {
		if slices.Contains(ids, stuck.ID) {
			select {
			case <-begin:
				hangs <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			default:
			}
		}
		return rows(ctx, ids...)
	}
	a := n.stream(t, StreamRequest{Cookie: stuckCookie})
	a.begun(t)
	b := n.stream(t, StreamRequest{Cookie: cookie})
	b.begun(t)
	close(begin)
	<-hangs
	b.lock(t, "expiring idle")
	b.lock(t, "locked idle")
	if len(hangs) > 1 {
		t.Error("ann's row was given up before bob was told: it proves nothing")
	}
}

// TestSlowOpeningDoesNotDelayTheLock: the time that an opening waits for a busy database is part of the session's time.
func TestSlowOpeningDoesNotDelayTheLock(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t))
	n.person(t, "ann")
	l, cookie := n.signIn(t, "ann")
	due := time.Now().Add(testLimits.Idle)
	summary := n.summary
	n.summary = func(ctx context.Context, u *models.User) (Summary, error) {
		time.Sleep(700 * time.Millisecond)
		return summary(ctx, u)
	}
	n.stream(t, StreamRequest{Cookie: cookie}).begun(t)
	n.watches.mu.Lock()
	defer n.watches.mu.Unlock()
	if late := n.watches.by[lockAudience(l.ID)].deadline.Sub(due); late > 300*time.Millisecond {
		t.Errorf("the session is to be looked at %v late", late)
	}
}

// TestWatchedAsLongAsThereIsAStream: the first of a session's streams that goes leaves the others their lock in time.
func TestWatchedAsLongAsThereIsAStream(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t))
	n.person(t, "ann")
	l, _ := n.signIn(t, "ann")
	watched := func() bool {
		n.watches.mu.Lock()
		defer n.watches.mu.Unlock()
		return n.watches.by[lockAudience(l.ID)] != nil
	}
	n.watches.add(l)
	n.watches.add(l)
	if n.watches.remove(l.ID); !watched() {
		t.Error("nobody watches for the second stream")
	}
	if n.watches.remove(l.ID); watched() {
		t.Error("it is watched for nobody")
	}
}
