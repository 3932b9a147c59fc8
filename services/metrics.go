package services

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"belfry/models"
	"belfry/services/histogram"
	"belfry/services/journal"
)

// Metrics gives the figures of this node to Prometheus. What each of them means to whoever runs Belfry is told in
// docs/metrics.md, whose table a test holds to what is given here.
type Metrics struct {
	DB       *Database
	Journal  *journal.Journal
	Streams  *Streams
	Sessions *Sessions
	Throttle *Throttle
	Hasher   *Hasher
	Keys     *Keys
	Tasks    *Tasks
	Push     *Push
	Webhooks *Webhooks
	Bus      func() bool // hints of other nodes come in; nil where there are none
}

// metricsTimeout bounds what a scrape asks the database: what is in memory is wanted most when that does not answer.
const metricsTimeout = 2 * time.Second

// Register has the registry give the figures.
func (m *Metrics) Register(r prometheus.Registerer) {
	r.MustRegister(m)
	for name, db := range m.DB.pools() {
		r.MustRegister(collectors.NewDBStatsCollector(db, name))
	}
}

// Describe gives nothing: which figures there are depends on whether the database answers.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect gives the figures as they stand.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	f := figures(func(metric prometheus.Metric) { to <- metric })
	m.streams(f)
	m.log(f)
	m.people(f)
	m.senders(f)
	m.state(f)
}

func (m *Metrics) streams(f figures) {
	s := m.Streams.hub.Stats()
	a := s.Account
	f.gauge("belfry_streams_open", "Streams open on this node.", float64(s.Streams+s.Pulling))
	f.gauge("belfry_other_streams_open", "Those of them that are not of notices: of task logs, and of figures.", float64(s.Pulling))
	f.counters("belfry_stream_openings_total", "Requests for a stream, by what came of them.", "result", m.Streams.openings)
	f.counter("belfry_deliveries_total", "Entries written to streams, replays included.", a.Written)
	f.counter("belfry_deliveries_queued_total", "Entries that were to be written to a stream as they came.", a.Queued)
	f.counter("belfry_deliveries_replayed_total", "Entries that were to be written to a stream that had missed them.", a.Replayed)
	f.counter("belfry_deliveries_withdrawn_total", "Entries taken back before they were written, because the session was locked; they are replayed after that.", a.Withdrawn)
	f.counter("belfry_deliveries_dropped_total", "Entries that a stream ended before; they are replayed when it is back.", a.Dropped)
	f.gauge("belfry_deliveries_waiting", "Entries queued for streams, or on their way.", float64(a.Waiting))
	f.histogram("belfry_delivery_lag_seconds", "From when an entry was committed until it was written to a stream; replays are left out.", &s.Lag, time.Second)
	f.histogram("belfry_replay_entries", "Entries of each replay; those with none are left out.", &s.Replays, 1)
	for reason, n := range s.Evicted {
		f.counter("belfry_evictions_total", "Streams cut because they were read too slowly.", n, "reason", reason)
	}
	f.counters("belfry_resets_total", "Streams told that they cannot go on from where they were.", "reason", m.Streams.resets)
	lag := m.Streams.lockLag.Clone()
	f.histogram("belfry_lock_lag_seconds", "From when a session was locked or ended until its streams on this node were told, and its requests here refused.", &lag, time.Second)
	f.counters("belfry_session_changes_total", "Sessions that became active again, locked or ended; the same on each node.", "state", m.Streams.changes)
	f.counters("belfry_log_entries_total", "Entries of the log that this node handed on, by kind; the same on each node.", "kind", m.Streams.entries)
}

func (m *Metrics) log(f figures) {
	s := m.Journal.Stats()
	f.gauge("belfry_log_head", "The last entry of the log that this node knows of.", float64(s.Head))
	f.gauge("belfry_log_cursor", "The last entry of the log that this node has handed on.", float64(s.Cursor))
	_, fresh := m.Journal.Fresh()
	f.gauge("belfry_log_up_to_date", "1 while this node has lately handed on all that the log held; 0 = it asks the database for what it else has in memory.", truth(fresh))
	f.counter("belfry_gaps_total", "Times an entry of the log was missing between two others; it is read again.", s.Holes)
	for kind := range m.Streams.entries {
		f.counter("belfry_entries_appended_total", "Entries of the log that this node committed, by kind.", s.Appended[kind], "kind", kind)
	}
	f.counter("belfry_entries_refused_total", "Entries that were turned away because too many waited to be committed.", s.Refused)
	f.counter("belfry_entries_failed_total", "Entries whose transaction failed, or of which it is not known.", s.Failed)
	f.gauge("belfry_entries_waiting", "Entries that wait to be committed.", float64(s.Waiting))
	f.histogram("belfry_publish_duration_seconds", "From when entries were given to the log until they were durable.", &s.Latencies, time.Second)
	f.histogram("belfry_commit_duration_seconds", "Transactions of the log.", &s.Commits, time.Second)
	f.histogram("belfry_commit_entries", "Entries of each transaction of the log.", &s.Batches, 1)
}

func (m *Metrics) people(f figures) {
	f.counters("belfry_login_failures_total", "Wrong proofs, by what they were for.", "at", m.DB.failures)
	const name, help = "belfry_throttled_total", "Requests that a limit turned away."
	f.counters(name, help, "limit", m.Throttle.refusals)
	f.counter(name, help, m.Hasher.refusals.Load(), "limit", "passwords")
	f.counter(name, help, m.Keys.quotas.refusals.Load(), "limit", "key")
	f.counter(name, help, m.Streams.openings[openingLimit].Load(), "limit", "streams_per_user")
}

func (m *Metrics) senders(f figures) {
	f.counter("belfry_task_log_bytes_total", "Bytes appended to the logs of tasks by this node.", m.Tasks.appended.Load())
	for outcome, count := range m.Push.Counts() {
		f.counter("belfry_push_attempts_total", "Web Push messages by what became of them on this node.", count(), "outcome", outcome)
	}
	f.counters("belfry_webhook_attempts_total", "Messages to webhooks by what became of them on this node.", "outcome", m.Webhooks.attempts)
}

// state asks the database. What it does not say is left out.
func (m *Metrics) state(f figures) {
	ctx, cancel := context.WithTimeout(context.Background(), metricsTimeout)
	defer cancel()
	if m.Bus != nil {
		f.gauge("belfry_bus_up", "1 while hints of other nodes come in; else the log is polled.", truth(m.Bus()))
	}
	sessions, err := m.Sessions.countStates(ctx)
	f.gauge("belfry_database_up", "1 if the database answered this scrape.", truth(err == nil))
	if err != nil {
		return
	}
	for _, state := range []models.SessionState{models.SessionActive, models.SessionLocked, models.SessionEnded} {
		f.gauge("belfry_sessions", "Sessions by state, those that ended as long as they are kept; the same on each node.", float64(sessions[state]), "state", string(state))
	}
	if m.DB.Dialect != Postgres {
		return
	}
	if used, err := m.DB.notifyQueue(ctx); err == nil {
		f.gauge("belfry_notify_queue_ratio", "How full PostgreSQL's queue of notifications is; at 1 every publish fails.", used)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// countStates counts all sessions.
func (s *Sessions) countStates(ctx context.Context) (map[models.SessionState]int64, error) {
	var rows []struct {
		State models.SessionState
		N     int64
	}
	err := s.db.Read.WithContext(ctx).Raw("SELECT state, count(*) AS n FROM sessions GROUP BY state").Scan(&rows).Error
	counts := map[models.SessionState]int64{}
	for _, r := range rows {
		counts[r.State] = r.N
	}
	return counts, err
}

// notifyQueue is the used part of PostgreSQL's queue that a listener which sleeps in a transaction keeps from being emptied, 0 to 1.
func (d *Database) notifyQueue(ctx context.Context) (used float64, err error) {
	err = d.Read.WithContext(ctx).Raw("SELECT pg_notification_queue_usage()").Scan(&used).Error
	return used, err
}

// histogram gives what was counted, in units of one.
func (f figures) histogram(name, help string, h *histogram.Histogram, one time.Duration) {
	unit := float64(one)
	buckets := map[float64]uint64{}
	for bound, n := range h.Cumulative() {
		buckets[float64(bound)/unit] = n
	}
	f(prometheus.MustNewConstHistogram(prometheus.NewDesc(name, help, nil, nil), h.Count(), float64(h.Sum())/unit, buckets))
}
