package services

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"belfry/models"
	"belfry/services/histogram"
	"belfry/services/hub"
	"belfry/services/journal"
	"belfry/services/tracing"
)

const (
	// nodeBeat is how often a node says how it is, and looks what others say and ask.
	nodeBeat = time.Second
	// nodeGone is after how long a node that says nothing counts as gone.
	nodeGone = 5 * time.Second
	// nodeForgotten is after how long it is removed, together with questions that were left behind.
	nodeForgotten = time.Hour
	// nodeHistory is how many beats are kept for those who begin to look.
	nodeHistory = 300
)

// Nodes knows how this node is, and the others: each says so in the database once a second. On SQLite there are no others,
// and nothing is written.
type Nodes struct {
	// Alone is told at each beat whether this is the only node, as far as is known; nil where nobody asks.
	Alone func(bool)

	db      *Database
	journal *journal.Journal
	streams *Streams
	name    string
	version string
	id      string
	began   time.Time
	level   *tracing.Level
	log     *slog.Logger

	mu       sync.Mutex
	last     reading      // of the beat before
	latest   []NodeReport // this node first
	history  []Moment
	beats    int64 // moments so far: the number of the last in history
	watchers map[*hub.Conn]struct{}
}

// NodeReport is how a node is.
type NodeReport struct {
	ID        string         `json:"id"`
	Name      string         `json:"name" doc:"Host and port"`
	Version   string         `json:"version"`
	StartedAt models.Instant `json:"started_at" format:"date-time" doc:"What is counted is counted since then"`
	Stored    int64          `json:"stored" doc:"Notices that this node put into the log"`
	Delivered Delivered      `json:"delivered"`
	Now       NodeSample     `json:"now"`
}

// NodeSample is how a node was within one second. What cannot be said of it, because nothing happened, is null.
type NodeSample struct {
	ID                  string   `json:"id" doc:"Of the node"`
	Name                string   `json:"name"`
	Streams             int      `json:"streams"`
	DeliveriesPerSecond float64  `json:"deliveries_per_s"`
	PublishesPerSecond  float64  `json:"publishes_per_s" doc:"Notices that this node put into the log"`
	LocksPerSecond      float64  `json:"locks_per_s" doc:"Sessions locked; the same on each node"`
	EvictionsPerSecond  float64  `json:"evictions_per_s" doc:"Streams cut because they were read too slowly"`
	Waiting             int64    `json:"waiting" doc:"Entries queued for streams"`
	LagP50              *float64 `json:"lag_p50_ms" doc:"From commit to write"`
	LagP99              *float64 `json:"lag_p99_ms"`
	PublishP99          *float64 `json:"publish_p99_ms" doc:"Until a notice was durable"`
}

// Moment is one second of all nodes.
type Moment struct {
	At    models.Instant `json:"at"`
	Nodes []NodeSample   `json:"nodes"`
}

// reading is the counters at a beat.
type reading struct {
	at      time.Time
	hub     hub.Stats
	journal journal.Stats
	locks   int64
}

// NewNodes makes the service. name is what people know this node by, level what it logs from.
func NewNodes(db *Database, j *journal.Journal, st *Streams, name, version string, level *tracing.Level, log *slog.Logger) *Nodes {
	n := &Nodes{db: db, journal: j, streams: st, name: name, version: version, id: strings.ToLower(randomText(8)), began: time.Now(), level: level, log: log,
		watchers: map[*hub.Conn]struct{}{}}
	n.last = n.read()
	return n
}

// Run says how this node is until ctx ends.
func (n *Nodes) Run(ctx context.Context) {
	tick, purge := time.NewTicker(nodeBeat), time.NewTicker(purgeEvery)
	defer tick.Stop()
	defer purge.Stop()
	for act := n.beat; ; {
		if err := act(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("nodes cannot tell each other how they are; it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			n.leave(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			act = n.beat
		case <-purge.C:
			act = n.forget
		}
	}
}

func (n *Nodes) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, nodeGone)
	defer cancel()
	own := n.report()
	others, alone, err := n.exchange(ctx, &own)
	if n.Alone != nil {
		n.Alone(alone)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.latest = append([]NodeReport{own}, others...)
	moment := Moment{At: models.InstantOf(time.Now())}
	for i := range n.latest {
		moment.Nodes = append(moment.Nodes, n.latest[i].Now)
	}
	slices.SortFunc(moment.Nodes, func(a, b NodeSample) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	n.history = append(n.history, moment)
	n.history = n.history[max(0, len(n.history)-nodeHistory):]
	n.beats++
	for c := range n.watchers {
		c.Nudge()
	}
	return err
}

func (n *Nodes) read() reading {
	return reading{at: time.Now(), hub: n.streams.hub.Stats(), journal: n.journal.Stats(), locks: n.streams.changes[string(models.SessionLocked)].Load()}
}

// report is how this node is now; its sample is of the time since the last report.
func (n *Nodes) report() NodeReport {
	now := n.read()
	n.mu.Lock()
	before := n.last
	n.last = now
	n.mu.Unlock()
	passed := max(now.at.Sub(before.at).Seconds(), 1e-3)
	rate := func(now, before int64) float64 { return float64(now-before) / passed }
	lag, publishes := now.hub.Lag.Since(&before.hub.Lag), now.journal.Latencies.Since(&before.journal.Latencies)
	return NodeReport{ID: n.id, Name: n.name, Version: n.version, StartedAt: models.InstantOf(n.began),
		Stored: now.journal.Appended[kindNotice], Delivered: Delivered{now.hub.Account, n.streams.resets.total()},
		Now: NodeSample{ID: n.id, Name: n.name, Streams: now.hub.Streams + now.hub.Pulling, Waiting: now.hub.Account.Waiting,
			DeliveriesPerSecond: rate(now.hub.Account.Written, before.hub.Account.Written),
			PublishesPerSecond:  rate(now.journal.Appended[kindNotice], before.journal.Appended[kindNotice]),
			LocksPerSecond:      rate(now.locks, before.locks), EvictionsPerSecond: rate(now.hub.Account.Evicted, before.hub.Account.Evicted),
			LagP50: quantile(&lag, 0.5), LagP99: quantile(&lag, 0.99), PublishP99: quantile(&publishes, 0.99)}}
}

// quantile is in milliseconds; nil where nothing was measured.
func quantile(h *histogram.Histogram, q float64) *float64 {
	if h.Count() == 0 {
		return nil
	}
	ms := float64(h.Quantile(q)) / float64(time.Millisecond)
	return &ms
}

// exchange writes down how this node is, answers what was asked, and reads how the others are.
func (n *Nodes) exchange(ctx context.Context, own *NodeReport) (others []NodeReport, alone bool, err error) {
	if n.db.Dialect != Postgres {
		return nil, true, nil
	}
	text, err := json.Marshal(own)
	if err != nil {
		return nil, false, err
	}
	db := n.db.Write.WithContext(ctx)
	if err := db.Exec(`INSERT INTO nodes (id, seen_at, report) VALUES (?, now_ms(), ?)
		ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, report = excluded.report`, n.id, string(text)).Error; err != nil {
		return nil, false, err
	}
	if err := n.answer(ctx); err != nil {
		return nil, false, err
	}
	var reports []string
	if err := db.Raw("SELECT report FROM nodes WHERE id <> ? AND seen_at > now_ms() - ? ORDER BY id", n.id, nodeGone.Milliseconds()).Scan(&reports).Error; err != nil {
		return nil, false, err
	}
	for _, text := range reports {
		var r NodeReport
		if json.Unmarshal([]byte(text), &r) == nil { // else it is of a version that says it otherwise
			others = append(others, r)
		}
	}
	return others, len(reports) == 0, nil
}

// forget removes what nodes have left behind that were killed.
func (n *Nodes) forget(ctx context.Context) error {
	if n.db.Dialect != Postgres {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, nodeGone)
	defer cancel()
	db := n.db.Write.WithContext(ctx)
	if err := db.Exec("DELETE FROM nodes WHERE seen_at < now_ms() - ?", nodeForgotten.Milliseconds()).Error; err != nil {
		return err
	}
	return db.Exec("DELETE FROM node_questions WHERE asked_at < now_ms() - ?", nodeForgotten.Milliseconds()).Error
}

// leave takes this node off the list; without it the others would take it for alive for some seconds.
func (n *Nodes) leave(ctx context.Context) {
	if n.db.Dialect != Postgres {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, nodeBeat)
	defer cancel()
	_ = n.db.Write.WithContext(ctx).Exec("DELETE FROM nodes WHERE id = ?", n.id).Error // it is found out anyway
}

// Reports tells how the nodes are, this one first.
func (n *Nodes) Reports() []NodeReport {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]NodeReport{}, n.latest...)
}
