package services

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/singleflight"

	"belfry/models"
	"belfry/services/histogram"
	"belfry/services/hub"
	"belfry/services/journal"
	"belfry/services/tracing"
)

// The classes of events, by which a stream is narrowed.
const (
	ClassNotice hub.Class = 1 << iota
	ClassNoticeState
	ClassTask
	ClassAll = ClassNotice | ClassNoticeState | ClassTask
)

// EventClasses are the names a stream can be narrowed to. What always comes has no class.
var EventClasses = map[string]hub.Class{
	"notice": ClassNotice, "notice_state": ClassNoticeState, "task": ClassTask,
	"hello": 0, "lock": 0, "ping": 0, "pause": 0, "reset": 0,
}

// StreamSettings are the times and bounds of streams.
type StreamSettings struct {
	Heartbeat time.Duration
	MaxAge    time.Duration // 0 = none
	PerUser   int
	Drain     time.Duration
}

// Streams opens streams, feeds them from the log and ends them.
type Streams struct {
	db       *Database
	journal  *journal.Journal
	hub      *hub.Hub
	sessions *Sessions
	notices  *Notices
	settings StreamSettings
	log      *slog.Logger

	watches   *watches
	summary   func(context.Context, *models.User) (Summary, error) // from the database; a simulation has its own
	byKey     func(context.Context, *Ticket) (*identity, error)    // the same
	summaries *summaries
	stretches singleflight.Group // readings of the log under way, by what is read
	draining  chan struct{}      // closed when no stream may stay
	drain     sync.Once

	openings counters
	resets   counters
	changes  counters // of sessions, by their new state
	entries  counters // by kind
	lockLag  *histogram.Locked

	mu      sync.Mutex
	people  map[int64]*person // who have streams on this node, and some of those who had
	absent  int               // of them have none
	sockets int               // streams with a connection of their own
	none    chan struct{}     // closed when there are no such streams; nil while nobody waits for that
}

// NewStreams makes the service; nothing is delivered before Follow.
func NewStreams(db *Database, j *journal.Journal, h *hub.Hub, s *Sessions, n *Notices, settings StreamSettings, log *slog.Logger) *Streams {
	st := &Streams{db: db, journal: j, hub: h, sessions: s, notices: n, summary: n.Summarise, settings: settings, log: log,
		openings: newOpenings(), resets: newCounters("trimmed", "epoch", "invalid"), changes: newChanges(), entries: newKinds(),
		lockLag: histogram.Lock(histogram.OfLatencies()), people: map[int64]*person{}, draining: make(chan struct{})}
	h.Keep(hub.Rhythm{Heartbeat: settings.Heartbeat, Ping: pingFrame, MaxAge: settings.MaxAge,
		Rotated: func() []byte { return pauseFrame(jitter(time.Second, 3*time.Second)) }})
	st.byKey = st.identifyByKey
	st.watches = newWatches(st)
	st.summaries = newSummaries(h.Offset())
	if n != nil { // a simulation has none
		n.summaries = st.summaries
		j.Observe(func(*journal.Entry) {}, st.summaries.forget)
	}
	return st
}

// Heartbeat is how long a stream may be silent before it pings.
func (s *Streams) Heartbeat() time.Duration { return s.settings.Heartbeat }

// StreamRequest is what a client asks for.
type StreamRequest struct {
	Cookie   string
	Ticket   *Ticket // beats the cookie
	Wants    hub.Class
	Unnamed  bool
	Position string // as it came; empty = from the head on
}

// Opening is the answer to a request for a stream.
type Opening struct {
	// NoContent tells a client that it need not come back: 204.
	NoContent bool
	// First is what is sent at once.
	First []byte
	// Stream goes on after First; nil = the answer ends there.
	Stream *Stream
}

// identity is whose stream it is to be.
type identity struct {
	live *Live     // nil for a ticket that a key minted
	at   time.Time // when live was read
	user models.User
	key  int64
}

// openTimeout is how long the database may take over an opening, or over a step of a replay. A connection that died
// without a word would otherwise keep a reader waiting who could be served by the next one.
const openTimeout = 5 * time.Second

// Open prepares a stream. An error is a refusal of the credential; what may pass is no error but a
// pause, because 429 and 503 would end a browser's EventSource for good (HTML §9.2.3).
func (s *Streams) Open(ctx context.Context, req StreamRequest) (Opening, error) {
	anybody := func(context.Context, *identity) error { return nil }
	return s.begin(ctx, req, anybody, func(ctx context.Context, who *identity) (Opening, error) {
		return s.open(ctx, who, req)
	})
}

// begin is how a stream of any kind opens. may says why it is not for this person, if it is not; open makes it.
func (s *Streams) begin(ctx context.Context, req StreamRequest, may func(context.Context, *identity) error,
	open func(context.Context, *identity) (Opening, error)) (Opening, error) {
	ctx, span := tracing.Start(ctx, "open stream", trace.SpanKindServer)
	defer span.End()
	limited := withLateDeadline(ctx, openTimeout)
	defer limited.end()
	ctx = limited
	if s.isDraining() {
		s.openings.inc(openingDraining)
		return Opening{First: Away()}, nil
	}
	who, err := s.identify(ctx, req)
	if err != nil {
		return s.pauseIfPassing(err)
	}
	if who.live != nil && who.live.Verdict.State == models.SessionEnded {
		return s.openEnded(ctx, who.live, req.Position)
	}
	if err := may(ctx, who); err != nil {
		return s.pauseIfPassing(err)
	}
	if !s.admit(who.user.ID) {
		return Opening{First: overLimit()}, nil
	}
	opening, err := open(ctx, who)
	return s.opened(who, opening, err)
}

func (s *Streams) pauseIfPassing(err error) (Opening, error) {
	if _, refused := errors.AsType[*models.Error](err); refused {
		s.openings.inc(openingRefused)
		return Opening{}, err
	}
	if !errors.Is(err, context.Canceled) { // else whoever asked has gone, perhaps together with a thousand others
		s.openings.inc(openingUnavailable)
		s.log.Warn("a stream cannot be opened; it is sent away for a while", "error", err)
	}
	return Opening{First: pauseFrame(jitter(time.Second, 5*time.Second))}, nil
}

func (s *Streams) identify(ctx context.Context, req StreamRequest) (*identity, error) {
	if req.Ticket == nil {
		live, err := s.sessions.Resolve(ctx, req.Cookie)
		if err != nil {
			return nil, err
		}
		return &identity{live: live, user: live.User}, nil
	}
	if req.Ticket.SessionID != "" {
		live, err := s.sessions.current(ctx, req.Ticket.SessionID)
		if errors.Is(err, models.ErrNotFound) || (err == nil && live.Now >= req.Ticket.expires) {
			return nil, errBadCredential
		}
		if err != nil {
			return nil, err
		}
		return &identity{live: live, user: live.User}, nil
	}
	return s.byKey(ctx, req.Ticket)
}

func (s *Streams) identifyByKey(ctx context.Context, t *Ticket) (*identity, error) {
	var row struct {
		models.User
		NowMs models.Instant
	}
	now := s.db.now()
	err := s.db.Read.WithContext(ctx).Raw(`SELECT u.*, `+now+` AS now_ms FROM users u JOIN api_keys k ON k.id = ?
		WHERE u.id = ? AND u.disabled_at IS NULL AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > `+now+`)`,
		t.KeyID, t.UserID).Scan(&row).Error
	if err != nil {
		return nil, err
	}
	if row.ID == 0 || row.NowMs >= t.expires {
		return nil, errBadCredential
	}
	return &identity{user: row.User, key: t.KeyID}, nil
}

// openEnded tells that the session is over, once: who has the entry that ended it need not return.
func (s *Streams) openEnded(ctx context.Context, l *Live, position string) (Opening, error) {
	offset, err := s.sessions.EndedOffset(ctx, l.ID)
	if err != nil {
		return s.pauseIfPassing(err)
	}
	s.openings.inc(openingOver)
	offset = cmp.Or(offset, s.journal.Trimmed()) // it was trimmed, so it lay there or before
	at := s.journal.Position(offset)
	if p, ok := journal.ParsePosition(position); ok && p.Epoch == at.Epoch && p.Offset >= offset {
		return Opening{NoContent: true}, nil
	}
	return Opening{First: lockFrame(lockEvent(l.Verdict), at.String())}, nil
}

// open makes the connection known before it reads anything: what is committed after that reading
// comes through the hub, so nothing falls between the two.
func (s *Streams) open(ctx context.Context, who *identity, req StreamRequest) (Opening, error) {
	head, err := s.head(ctx)
	if err != nil {
		return Opening{}, err
	}
	pos, refused := resume(req.Position, head)
	if refused != "" { // what this node does not know yet, the database may
		if head, err = s.journal.Head(ctx); err != nil {
			return Opening{}, err
		}
		pos, refused = resume(req.Position, head)
	}
	conn := s.hub.Add(pos, who.control(), req.Wants, req.Unnamed)
	stream, changes := s.begun(who, conn)
	first, err := s.settle(ctx, conn, who, start{head.Epoch, pos, refused, req.Position != ""})
	if err != nil {
		stream.forget()
		return Opening{}, err
	}
	if who.live != nil && who.live.Verdict.State == models.SessionEnded {
		stream.forget()
		return s.openEnded(ctx, who.live, "")
	}
	if who.live != nil {
		s.watches.settled(who.live, who.at, changes)
	}
	if refused != "" {
		s.reset(who.user.ID, refused)
	}
	return Opening{First: first, Stream: stream}, nil
}

// begun makes a stream of a connection, whose session is watched from now on. changes is for watches.settled.
func (s *Streams) begun(who *identity, conn *hub.Conn) (stream *Stream, changes int) {
	stream = &Stream{streams: s, conn: conn, user: who.user.ID, began: models.InstantOf(time.Now())}
	if who.live != nil {
		stream.session = who.live.ID
		changes = s.watches.add(who.live)
	}
	return stream, changes
}

// start is where a stream begins.
type start struct {
	epoch   string
	pos     int64
	refused string // why it does not begin where it was asked to; empty = it does
	asked   bool   // for a position
}

// awaitOwn is how long an opening waits for the tail to hand on what this node has committed; it takes
// microseconds, or something is wrong.
const awaitOwn = 100 * time.Millisecond

// head is the end of the log as this node knows it, when it has lately looked and has handed on what it acknowledged
// itself; else the database is asked.
func (s *Streams) head(ctx context.Context) (journal.Head, error) {
	now, fresh := s.journal.Fresh()
	if !fresh {
		return s.journal.Head(ctx)
	}
	epoch := s.journal.Epoch()
	committed := s.journal.Committed()
	offset := s.hub.Offset()
	if offset < committed {
		waiting, cancel := context.WithTimeout(ctx, awaitOwn)
		defer cancel()
		if err := s.hub.Await(waiting, committed); err != nil {
			return s.journal.Head(ctx)
		}
		offset = s.hub.Offset()
	}
	return journal.Head{Epoch: epoch, Offset: offset, Trimmed: s.journal.Trimmed(), Now: now}, nil
}

// resume says from where a stream continues, and why it cannot continue from where it was asked to.
func resume(text string, head journal.Head) (pos int64, refused string) {
	if text == "" {
		return head.Offset, ""
	}
	at, ok := journal.ParsePosition(text)
	switch {
	case !ok:
		return head.Offset, "invalid"
	case at.Epoch != head.Epoch:
		return head.Offset, "epoch"
	case at.Offset > head.Offset:
		return head.Offset, "invalid"
	case at.Offset < head.Trimmed:
		return head.Offset, "trimmed"
	}
	return at.Offset, ""
}

// settle reads what the stream's opening frames say, as often as the log brings a change meanwhile.
func (s *Streams) settle(ctx context.Context, conn *hub.Conn, who *identity, at start) ([]byte, error) {
	for {
		turn := conn.Turn()
		head, err := s.head(ctx)
		if err != nil {
			return nil, err
		}
		if head.Epoch != at.epoch || s.journal.Epoch() != at.epoch {
			return nil, errNewEpoch // the position means nothing any more, or to this node nothing yet
		}
		if err := s.reread(ctx, conn, who); err != nil {
			return nil, err
		}
		summary, err := s.summarise(ctx, &who.user, max(at.pos, head.Offset))
		if err == nil && summary.Head.Epoch != at.epoch {
			err = errNewEpoch
		}
		if err != nil {
			return nil, err
		}
		locked := who.live != nil && who.live.Verdict.State != models.SessionActive
		if s.hub.Settle(conn, turn, summary.Grants, locked) {
			return s.firstFrames(who, at, &summary), nil
		}
	}
}

// reread looks again at who opens a stream: what shut them out before the connection was known has not ended it.
func (s *Streams) reread(ctx context.Context, conn *hub.Conn, who *identity) error {
	if who.live == nil {
		again, err := s.byKey(ctx, &Ticket{UserID: who.user.ID, KeyID: who.key, expires: math.MaxInt64}) // it was in time
		if err == nil {
			who.user = again.user
		}
		return err
	}
	known := s.hub.Offset() // before the reading: memory holds what was handed on
	who.at = time.Now()
	live, err := s.sessions.current(ctx, who.live.ID)
	if err != nil {
		return err
	}
	conn.KnowsUpTo(max(known, live.AsOf))
	who.live, who.user = live, live.User
	return nil
}

var errNewEpoch = errors.New("the log started anew")

// warmPeople is for how many people a node that starts reads beforehand what a hello says.
const warmPeople = 1_000

// Warm waits until everything up to the head was handed on, and reads what those will ask for who come to this node
// from one that left. Without it nothing is wrong, but a thousand who come at once ask the database a thousand times.
func (s *Streams) Warm(ctx context.Context, head int64) error {
	if err := s.hub.Await(ctx, head); err != nil {
		return err
	}
	if err := s.notices.directory.warm(ctx); err != nil {
		return err
	}
	people, err := s.sessions.Warm(ctx)
	if err != nil || s.db.Dialect != Postgres { // on SQLite there is no other node to come from
		return err
	}
	read, err := s.notices.summariseAll(ctx, people[:min(len(people), warmPeople)]...)
	for user, summary := range read {
		s.summaries.put(user, summary)
	}
	return err
}
