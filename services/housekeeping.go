package services

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"belfry/services/journal"
)

// How often the house is kept.
const (
	sweepEvery = time.Second      // a session without streams is locked at most this late
	trimEvery  = time.Minute      // between looks for entries past their retention, or a tenth of that where it is short
	purgeEvery = 10 * time.Minute // between removals of what nobody can ask for any more
)

// Housekeeping does what no request asks for: it stores expiries, and deletes what is past keeping.
// Every node does it; each step is one conditional statement, so they do not get in each other's way.
type Housekeeping struct {
	db       *Database
	journal  *journal.Journal
	sessions *Sessions
	notices  *Notices
	tasks    *Tasks
	keep     Keeping
	log      *slog.Logger
}

// Keeping is how long things are kept.
type Keeping struct {
	Log   time.Duration // the entries of the log, and tasks since they ended or last grew
	Audit time.Duration // the record of who did what
}

// NewHousekeeping makes the service.
func NewHousekeeping(db *Database, j *journal.Journal, s *Sessions, n *Notices, t *Tasks, keep Keeping, log *slog.Logger) *Housekeeping {
	return &Housekeeping{db: db, journal: j, sessions: s, notices: n, tasks: t, keep: keep, log: log}
}

// Run keeps house until ctx ends. Each chore has a goroutine of its own: thousands of notices that expire at one moment, or a day's
// keys, take a minute, and a session that nobody asks about would not be locked meanwhile.
func (h *Housekeeping) Run(ctx context.Context) {
	between := min(trimEvery, max(sweepEvery, h.keep.Log/10)) + rand.N(sweepEvery/2) //nolint:gosec // jitter
	var chores sync.WaitGroup
	defer chores.Wait()
	chores.Go(func() { h.release(ctx) })
	chores.Go(func() { h.supersede(ctx) })
	chores.Go(func() { h.each(ctx, sweepEvery, h.sweep) })
	chores.Go(func() { h.each(ctx, sweepEvery, h.notices.Expire) })
	chores.Go(func() { h.each(ctx, sweepEvery, h.notices.Wake) })
	chores.Go(func() { h.each(ctx, between, h.trim) })
	chores.Go(func() { h.each(ctx, purgeEvery, h.purge) })
}

func (h *Housekeeping) each(ctx context.Context, every time.Duration, do func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := do(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("housekeeping failed; it will be tried again", "error", err)
		}
	}
}

func (h *Housekeeping) sweep(ctx context.Context) error {
	return errors.Join(h.sessions.Sweep(ctx), h.sessions.Refresh(ctx))
}

func (h *Housekeeping) trim(ctx context.Context) (err error) {
	if now, fresh := h.journal.Fresh(); fresh {
		_, err = h.journal.Trim(ctx, now-h.keep.Log.Milliseconds())
	}
	return errors.Join(err, h.tasks.Trim(ctx, h.keep.Log.Milliseconds()))
}

// Sweep stores the expiry of sessions that nobody asks about, some at a time: after a night without this server those of
// everybody are due.
func (s *Sessions) Sweep(ctx context.Context) error {
	for ctx.Err() == nil {
		due, err := s.due(ctx)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := s.latch(ctx, "id IN ?", due); err != nil || len(due) < sessionsAtOnce {
			return err
		}
	}
	return ctx.Err()
}

// due names sessions that are to be locked or to end, each way by the index in whose order it is asked for.
func (s *Sessions) due(ctx context.Context) (ids []string, err error) {
	query := "SELECT id FROM (SELECT id FROM sessions WHERE state = 'active' AND last_active_at <= @now - @idle ORDER BY last_active_at LIMIT @most) idle" +
		" UNION SELECT id FROM (SELECT id FROM sessions WHERE state <> 'ended' AND created_at <= @now - @max ORDER BY created_at LIMIT @most) old LIMIT @most"
	err = s.db.Read.WithContext(ctx).Raw(strings.ReplaceAll(query, "@now", s.db.moment()),
		map[string]any{"idle": s.limits.Idle.Milliseconds(), "max": s.limits.Max.Milliseconds(), "most": sessionsAtOnce}).Scan(&ids).Error
	return ids, err
}
