package journal

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"gorm.io/gorm"

	"belfry/services/tracing"
)

// Bounds of the group commit.
const (
	// batchLimit is how many go into one transaction. From 50 to 500 rows a batch the database's
	// throughput doubles and then hardly grows, while the last in the batch waits longer.
	batchLimit = 500
	// commitTimeout bounds a transaction. It is not the request's own deadline: a caller that hangs
	// up must not leave it open whether the commit happened.
	commitTimeout = 8 * time.Second
)

// Announcer tells the nodes, this one included, that the log grew by these entries, which are durable. A
// hint may be lost, doubled or late; only the log is truth. Announce must not wait.
type Announcer interface {
	Announce(epoch string, entries []Entry)
	// Cause is what another node has said of an entry that it has committed; nil = nothing. Entries are asked for in their order.
	Cause(offset int64) *tracing.Cause
}

// Journal appends to the log and reads from it.
type Journal struct {
	store     store
	announcer Announcer
	log       *slog.Logger
	observers []observer

	queue  chan *pending
	line   line
	closed chan struct{} // no more appends
	done   chan struct{} // the committer has answered all it took
	once   sync.Once

	tail   tail
	counts *counts

	epoch     atomic.Pointer[string]
	committed atomic.Int64
	nameless  atomic.Bool // the database does not say which one it is; see look
}

// pending is what one caller wants appended, all in one transaction.
type pending struct {
	drafts   []Draft
	bytes    int64
	began    time.Time
	cause    *tracing.Cause
	span     trace.Span
	receipts []Receipt
	err      error
	done     chan struct{}
}

// Open starts the committer of a journal on a migrated database. On PostgreSQL read and write are the
// same pool.
func Open(ctx context.Context, read, write *gorm.DB, announcer Announcer, log *slog.Logger) (*Journal, error) {
	both := sqlStore{read: read, write: write}
	if write.Name() == "postgres" {
		return start(ctx, postgresStore{both}, announcer, log)
	}
	return start(ctx, sqliteStore{both}, announcer, log)
}

func start(ctx context.Context, s store, announcer Announcer, log *slog.Logger) (*Journal, error) {
	j := &Journal{store: s, announcer: announcer, log: log, counts: newCounts(), line: line{of: map[string]load{}},
		queue: make(chan *pending, queueLimit), closed: make(chan struct{}), done: make(chan struct{})}
	head, err := j.look(ctx)
	if err != nil {
		return nil, err
	}
	j.tail.start(head)
	j.epoch.Store(&head.Epoch)
	go j.commitLoop()
	return j, nil
}

// Close lets what is queued be committed and stops.
func (j *Journal) Close() {
	j.once.Do(func() { close(j.closed) })
	<-j.done
}

// Append puts entries into the log, in their order and one transaction, together with whatever else is waiting, and returns
// when they are durable. No two of them may have the same Once. ErrFull and any fault of the database mean that the outcome
// is unknown or none: the caller may repeat it under the same Once.
func (j *Journal) Append(ctx context.Context, drafts ...Draft) ([]Receipt, error) {
	ctx, span := tracing.Start(ctx, "append", trace.SpanKindInternal)
	defer span.End()
	p := &pending{drafts: drafts, began: time.Now(), cause: tracing.CauseOf(ctx, j.log), span: span, done: make(chan struct{})}
	receipts, err := j.await(ctx, p)
	j.traced(ctx, span, receipts, err)
	return receipts, err
}

func (j *Journal) await(ctx context.Context, p *pending) ([]Receipt, error) {
	for i := range p.drafts {
		p.bytes += int64(len(p.drafts[i].Payload))
	}
	if err := j.enqueue(p); err != nil {
		return nil, err
	}
	select {
	case <-p.done:
		return p.receipts, p.err
	case <-ctx.Done():
		return nil, ctx.Err() // they may still be committed
	case <-j.done:
		// The committer drained the queue before it left; only one that slipped in behind it is lost.
		select {
		case <-p.done:
			return p.receipts, p.err
		default:
			return nil, ErrClosed
		}
	}
}

func (j *Journal) enqueue(p *pending) error {
	select {
	case <-j.closed:
		return ErrClosed
	default:
	}
	if !j.line.enter(p) {
		j.counts.refused.Add(int64(len(p.drafts)))
		return ErrFull
	}
	j.queue <- p // never waits: each holds a draft at least, and no more than queueLimit are let in
	return nil
}

// Transact runs a business transaction whose entries are appended as its last statement, so that a
// change and the news of it are one. The transaction is detached from the caller's cancellation.
// fn may return no drafts; then nothing is announced.
func (j *Journal) Transact(ctx context.Context, fn func(tx *gorm.DB) ([]Draft, error)) ([]Receipt, error) {
	return j.transact(ctx, fn, func(*gorm.DB, []Receipt) error { return nil })
}

// AppendWith is Append in a transaction of its own, in which then writes what has to know where the entries went. Every
// publish waits for it.
func (j *Journal) AppendWith(ctx context.Context, drafts []Draft, then func(tx *gorm.DB, receipts []Receipt) error) ([]Receipt, error) {
	return j.transact(ctx, func(*gorm.DB) ([]Draft, error) { return drafts, nil }, then)
}

func (j *Journal) transact(ctx context.Context, fn func(tx *gorm.DB) ([]Draft, error), then func(tx *gorm.DB, receipts []Receipt) error) ([]Receipt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	epoch := j.Epoch()
	var drafts []Draft
	var receipts []Receipt
	ctx, span := tracing.Start(ctx, "commit", trace.SpanKindInternal)
	defer span.End()
	err := j.store.transact(ctx, func(tx *gorm.DB) error {
		var err error
		if drafts, err = fn(tx); err != nil || len(drafts) == 0 {
			return err
		}
		if receipts, err = j.store.append(ctx, tx, drafts); err != nil {
			return err
		}
		return then(tx, receipts)
	})
	if err != nil {
		return nil, err // no cause to doubt what is in memory, as after a commit: most are refusals by fn
	}
	because(drafts, tracing.CauseOf(ctx, j.log))
	j.published(epoch, committed(drafts, receipts))
	j.traced(ctx, span, receipts, nil)
	return receipts, nil
}

// Observe has fn called with each entry that this node commits, before its caller is answered, and again
// with every entry of the log in its order, before it is delivered. What is kept in memory of rows that
// entries tell about is made void there. lost is called when the log starts anew and all of it is void. Both
// must be quick and safe for several goroutines; Observe comes before Follow.
func (j *Journal) Observe(fn func(*Entry), lost func()) {
	j.observers = append(j.observers, observer{fn, lost})
}

type observer struct {
	entry func(*Entry)
	lost  func()
}

func (j *Journal) observe(e *Entry) {
	for _, o := range j.observers {
		o.entry(e)
	}
}

// Forget makes void all that observers keep in memory: rows were changed past the log.
func (j *Journal) Forget() {
	for _, o := range j.observers {
		o.lost()
	}
}

// published takes what was committed since the epoch was the given one. The answer may have been so late that the
// log has begun anew meanwhile; then nobody knows on which side of that the commit was, and the tail reads it or not.
func (j *Journal) published(epoch string, entries []Entry) {
	if len(entries) == 0 {
		return
	}
	j.counts.published(entries)
	for i := range entries {
		j.observe(&entries[i])
	}
	for last := entries[len(entries)-1].Offset; epoch == j.Epoch(); {
		if old := j.committed.Load(); old >= last || j.committed.CompareAndSwap(old, last) {
			break
		}
	}
	j.tail.offer(epoch, entries)
	j.announcer.Announce(epoch, entries)
}

// Offer takes entries that another node says it has committed. They count only where they continue what
// this node has seen without a hole, and only under the epoch it knows.
func (j *Journal) Offer(epoch string, entries []Entry) {
	j.tail.offer(epoch, entries)
}

// Head reads the end of the log from the database.
func (j *Journal) Head(ctx context.Context) (Head, error) { return j.store.head(ctx) }

// Epoch is the one that what Follow hands on belongs to. It changes when Follow has noticed a new one
// and not before: a reader given an entry under the new epoch would not be told to start over.
func (j *Journal) Epoch() string { return *j.epoch.Load() }

// Position gives an offset its name on the wire.
func (j *Journal) Position(offset int64) Position { return Position{Epoch: j.Epoch(), Offset: offset} }

// NewEpoch makes every position that clients hold unknown, so that each is told to start over. It is
// the last step of restoring a backup.
func (j *Journal) NewEpoch(ctx context.Context) error {
	return j.store.replaceEpoch(ctx, j.Epoch(), randomEpoch())
}

func randomEpoch() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: it would end the program
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// Fix keeps the head where it is until the caller's transaction ends, and reads it: the next entry of
// that transaction gets the offset after it. Every publish waits meanwhile, so it comes late in a
// transaction, and only where a row must hold the offset of its own entry.
func (j *Journal) Fix(tx *gorm.DB) (Head, error) {
	if err := j.store.fix(tx); err != nil {
		return Head{}, err
	}
	return HeadIn(tx)
}

// Committed is the last offset of what this node itself has appended.
func (j *Journal) Committed() int64 { return j.committed.Load() }

// Cursor is the last offset that Follow has handed on, or will begin after.
func (j *Journal) Cursor() int64 { return j.tail.at() }
