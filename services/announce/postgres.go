package announce

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"belfry/services/journal"
	"belfry/services/tracing"
)

const (
	channel = "belfry_log"
	// growthChannel carries what has grown beside the log: "ID END", separated by commas.
	growthChannel = "belfry_growth"
	// pingEvery bounds how long a dead connection passes for a quiet one.
	pingEvery   = 5 * time.Second
	pingTimeout = 3 * time.Second
	backoffMin  = 200 * time.Millisecond
	backoffMax  = 10 * time.Second
	// tellApart is the least time between two hints. A node that gets hints one after the other looks no more often (see journal.Follow),
	// and each costs the database a transaction.
	tellApart = 2 * time.Millisecond
)

// Postgres carries the hint between nodes by LISTEN and NOTIFY, on connections of its own: both need
// a direct one, which a transaction pooler does not give.
//
// NOTIFY comes after the commit, never inside the transaction, where it would take a lock that is
// global to the database and cost four fifths of the throughput.
type Postgres struct {
	Local
	address string
	log     *slog.Logger
	pending atomic.Int64 // the newest offset not yet told
	wake    chan struct{}
	healthy atomic.Bool
	sender  atomic.Uint32 // the server's process behind the sending connection
	alone   atomic.Bool   // nobody else is there to be told
	grown   grown
	causes  causes
}

// NewPostgres makes an announcer for a direct address. It does nothing before Run.
func NewPostgres(address string, log *slog.Logger) *Postgres {
	return &Postgres{Local: *NewLocal(), address: address, log: log, wake: make(chan struct{}, 1), grown: newGrown()}
}

// Announce wakes this node at once and the others soon; offsets that come meanwhile go as one.
func (p *Postgres) Announce(_ string, entries []journal.Entry) {
	p.hint()
	if p.alone.Load() {
		return
	}
	p.causes.add(entries) // first: they are told with the offset
	p.tell(entries[len(entries)-1].Offset)
}

// Alone says whether this is the only node. Then nobody is told, for to tell costs a transaction. A node that comes looks
// by itself until it is known of, as it does where a hint is lost.
func (p *Postgres) Alone(alone bool) { p.alone.Store(alone) }

func (p *Postgres) tell(offset int64) {
	for {
		old := p.pending.Load()
		if old >= offset || p.pending.CompareAndSwap(old, offset) {
			break
		}
	}
	ring(p.wake)
}

// Cause is what another node has told of an entry.
func (p *Postgres) Cause(offset int64) *tracing.Cause { return p.causes.of(offset) }

// Healthy reports whether hints of other nodes can come in. Without them the poll floor serves.
func (p *Postgres) Healthy() bool { return p.healthy.Load() }

// Run sends and receives until ctx ends, connecting anew whenever a connection is lost.
func (p *Postgres) Run(ctx context.Context) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		p.retry(ctx, "NOTIFY", p.send)
	}()
	p.retry(ctx, "LISTEN", p.listen)
	<-sent
}

func (p *Postgres) retry(ctx context.Context, what string, work func(context.Context, *pgx.Conn) error) {
	backoff := backoffMin
	for ctx.Err() == nil {
		began := time.Now()
		err := p.connected(ctx, work)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > backoffMax {
			backoff = backoffMin // it had worked for a while
		}
		p.log.Warn("hints between nodes are interrupted; the log is polled meanwhile", "for", what, "error", err)
		_ = rest(ctx, backoff/2+rand.N(backoff/2)) //nolint:gosec // jitter, not a secret
		backoff = min(2*backoff, backoffMax)
	}
}

func (p *Postgres) connected(ctx context.Context, work func(context.Context, *pgx.Conn) error) error {
	cfg, err := pgx.ParseConfig(p.address)
	if err != nil {
		return errors.New("the address is not valid") // pgx's own text repeats it
	}
	cfg.ConnectTimeout = pingTimeout
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it may be dead already
	}()
	return work(ctx, conn)
}

func (p *Postgres) send(ctx context.Context, conn *pgx.Conn) error {
	p.sender.Store(conn.PgConn().PID())
	for last := (time.Time{}); ; last = time.Now() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.grown.wake:
			if err := p.sendGrown(ctx, conn); err != nil {
				return err
			}
			continue
		case <-p.wake:
		}
		if err := rest(ctx, tellApart-time.Since(last)); err != nil {
			return err
		}
		offset := p.pending.Load()
		if err := notify(ctx, conn, channel, strconv.FormatInt(offset, 10)+p.causes.take()); err != nil {
			p.tell(offset) // the next connection says it
			return err
		}
	}
}

func notify(ctx context.Context, conn *pgx.Conn, channel, payload string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, "SELECT pg_notify($1, $2)", channel, payload)
	return err
}

// Grew tells the other nodes soon that something has grown.
func (p *Postgres) Grew(id, end int64) {
	if !p.alone.Load() {
		p.grown.add(id, end)
	}
}

// sendGrown tells what has grown. What cannot be told is lost, as any hint may be.
func (p *Postgres) sendGrown(ctx context.Context, conn *pgx.Conn) error {
	var text []byte
	for _, g := range p.grown.take() {
		if len(text) > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(append(strconv.AppendInt(text, g.ID, 10), ' '), g.End, 10)
	}
	if len(text) == 0 {
		return nil
	}
	return notify(ctx, conn, growthChannel, string(text))
}

// hearGrown reads what another node says has grown.
func (p *Postgres) hearGrown(payload string) {
	for one := range strings.SplitSeq(payload, ",") {
		id, end, _ := strings.Cut(one, " ")
		var g Growth
		var err, err2 error
		g.ID, err = strconv.ParseInt(id, 10, 64)
		if g.End, err2 = strconv.ParseInt(end, 10, 64); err == nil && err2 == nil {
			p.heard(g)
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 { // which needs no timer
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// listen begins with LISTEN and only then lets the tail read, so that nothing falls between the two.
func (p *Postgres) listen(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "LISTEN "+channel+"; LISTEN "+growthChannel); err != nil {
		return err
	}
	p.healthy.Store(true)
	defer p.healthy.Store(false)
	p.hint()
	for {
		waiting, cancel := context.WithTimeout(ctx, pingEvery)
		note, err := conn.WaitForNotification(waiting)
		quiet := waiting.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && note.PID == p.sender.Load():
			// This node's own: its tail knows already, and would read the log for nothing.
		case err == nil && note.Channel == growthChannel:
			p.hearGrown(note.Payload)
		case err == nil:
			p.causes.hear(note.Payload)
			p.hint()
		case quiet && !conn.IsClosed():
			probe, cancel := context.WithTimeout(ctx, pingTimeout)
			err = conn.Ping(probe)
			cancel()
			if err != nil {
				return err
			}
		default:
			return err
		}
	}
}
