package services

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
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
	db        *Database
	journal   *journal.Journal
	sessions  *Sessions
	notices   *Notices
	retention time.Duration
	log       *slog.Logger
}

// NewHousekeeping makes the service.
func NewHousekeeping(db *Database, j *journal.Journal, s *Sessions, n *Notices, retention time.Duration, log *slog.Logger) *Housekeeping {
	return &Housekeeping{db: db, journal: j, sessions: s, notices: n, retention: retention, log: log}
}

// Run keeps house until ctx ends.
func (h *Housekeeping) Run(ctx context.Context) {
	between := min(trimEvery, max(sweepEvery, h.retention/10)) + rand.N(sweepEvery/2) //nolint:gosec // jitter
	sweep, trim, purge := time.NewTicker(sweepEvery), time.NewTicker(between), time.NewTicker(purgeEvery)
	defer sweep.Stop()
	defer trim.Stop()
	defer purge.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			err = errors.Join(h.sessions.Sweep(ctx), h.sessions.Refresh(ctx), h.notices.Expire(ctx))
		case <-trim.C:
			if now, fresh := h.journal.Fresh(); fresh {
				_, err = h.journal.Trim(ctx, now-h.retention.Milliseconds())
			}
		case <-purge.C:
			err = h.purge(ctx)
		}
		if err != nil && ctx.Err() == nil {
			h.log.Warn("housekeeping failed; it will be tried again", "error", err)
		}
	}
}

// Sweep stores the expiry of sessions that nobody asks about.
func (s *Sessions) Sweep(ctx context.Context) error {
	var due bool
	now := s.db.now()
	err := s.db.Read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM sessions WHERE state = 'active' AND last_active_at <= "+now+" - ?)"+
		" OR EXISTS (SELECT 1 FROM sessions WHERE state <> 'ended' AND created_at <= "+now+" - ?)",
		s.limits.Idle.Milliseconds(), s.limits.Max.Milliseconds()).Scan(&due).Error
	if err != nil || !due {
		return err
	}
	return s.latch(ctx, "1 = 1")
}

func (h *Housekeeping) purge(ctx context.Context) error {
	now := h.db.now()
	for _, step := range []struct {
		statement string
		argument  int64
	}{
		// An ended session is kept as long as its cookie can still be shown.
		{"DELETE FROM sessions WHERE state = 'ended' AND created_at < " + now + " - ?", (h.sessions.limits.Max + cookieSlack).Milliseconds()},
		{"DELETE FROM idempotency_keys WHERE created_at < " + now + " - ?", journal.OnceWindow.Milliseconds()},
		{"DELETE FROM notice_states WHERE notice_id <= (SELECT trimmed FROM log_head) - ?", 0},
	} {
		if err := h.db.Write.WithContext(ctx).Exec(step.statement, step.argument).Error; err != nil {
			return err
		}
	}
	return nil
}
