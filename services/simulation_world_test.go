package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

// dice is one actor's share of the seed. Each has its own, so that what one draws does not depend on the
// moment at which another does.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed uint64, actor int) *dice {
	return &dice{r: rand.New(rand.NewPCG(seed, uint64(actor)))}
}

func (d *dice) upTo(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// in gives a time between two others, to the nanosecond, so that hardly anything happens at the same moment.
func (d *dice) in(from, to time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return from + time.Duration(d.r.Int64N(int64(to-from)))
}

// percent is true that often.
func (d *dice) percent(p int) bool { return d.upTo(100) < p }

// hazards are how often, of a hundred times, something goes wrong in a run.
type hazards struct {
	slow, failed, unknown, holes     int // of the database's answers
	lost, late, doubled, bare, noise int // of hints
	cut, torn, swallowed, stalled    int // of what is written to a client
}

// simWorld is what nodes share: the log, and the rows that entries tell about.
type simWorld struct {
	danger atomic.Pointer[hazards]

	mu      sync.Mutex
	epoch   string
	epochs  int
	entries []journal.Entry
	hidden  []map[int]time.Time // of each entry, until when a node does not see it
	trimmed int64
	once    map[string]journal.Receipt
	locked  map[string]bool  // by session
	opened  map[string]int64 // by session, the last entry that did
	down    bool
	placed  map[string][]int64 // where each letter ever lay
	resets  bool               // the log was trimmed or began anew
}

func newSimWorld(h hazards) *simWorld {
	w := &simWorld{once: map[string]journal.Receipt{}, locked: map[string]bool{}, opened: map[string]int64{}, placed: map[string][]int64{}}
	w.danger.Store(&h)
	w.renew()
	return w
}

func (w *simWorld) hazards() *hazards { return w.danger.Load() }

// renew begins an epoch; the caller holds w.mu, or is the first.
func (w *simWorld) renew() {
	w.epochs++
	w.epoch = fmt.Sprintf("e%d", w.epochs)
}

// restore takes the log back to an offset, as a backup does, under a new epoch.
func (w *simWorld) restore(to int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries, w.hidden = slices.Clone(w.entries[:to]), slices.Clone(w.hidden[:to])
	for key, r := range w.once {
		if r.Offset > to {
			delete(w.once, key)
		}
	}
	w.locked = map[string]bool{}
	for i := range w.entries {
		w.note(&w.entries[i])
	}
	w.trimmed = min(w.trimmed, to)
	w.resets = true
	w.renew()
}

// note does to the rows what an entry tells.
func (w *simWorld) note(e *journal.Entry) {
	if e.Kind != kindLock {
		return
	}
	w.locked[e.Audiences[0]] = string(e.Payload) == string(simLocked)
	if !w.locked[e.Audiences[0]] {
		w.opened[e.Audiences[0]] = e.Offset
	}
}

// openedBy is the last entry that opened a session.
func (w *simWorld) openedBy(session string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened[lockAudience(session)]
}

func (w *simWorld) head() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(len(w.entries))
}

// newEpoch is what the last step of a restoration does, or a failover that lost nothing.
func (w *simWorld) newEpoch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resets = true
	w.renew()
}

func (w *simWorld) setDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

func (w *simWorld) trim(upTo int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trimmed, w.resets = max(w.trimmed, upTo), true
}

// append is the one moment of a commit; the caller holds w.mu.
func (w *simWorld) append(node int, d *dice, drafts []journal.Draft) []journal.Receipt {
	receipts := make([]journal.Receipt, len(drafts))
	for i, draft := range drafts {
		if draft.Once != nil {
			if r, used := w.once[draft.Once.Key]; used {
				r.Replayed = true
				receipts[i] = r
				continue
			}
		}
		offset, now := int64(len(w.entries)+1), time.Now()
		e := journal.Entry{Offset: offset, Kind: draft.Kind, Subject: offset, Actor: draft.Actor, Audiences: draft.Audiences, Payload: draft.Payload, CreatedAt: now.UnixMilli()}
		w.entries = append(w.entries, e)
		w.note(&e)
		hidden := map[int]time.Time{}
		if d.percent(w.hazards().holes) {
			hidden[1-node] = now.Add(d.in(time.Millisecond, 900*time.Millisecond))
		}
		w.hidden = append(w.hidden, hidden)
		receipts[i] = journal.Receipt{Offset: offset, CreatedAt: e.CreatedAt}
		if draft.Once != nil {
			w.once[draft.Once.Key] = receipts[i]
			w.placed[draft.Once.Key] = append(w.placed[draft.Once.Key], offset)
		}
	}
	return receipts
}

// lay reports whether a letter was ever at an offset.
func (w *simWorld) lay(letter string, offset int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.placed[letter], offset)
}

func (w *simWorld) wasReset() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resets
}

// count is how many notices a user had at an offset.
func (w *simWorld) count(user int64, upTo int64) (n int64) {
	for _, e := range w.entries[:upTo] {
		if e.Kind == kindNotice && e.Offset > w.trimmed && isForUser(&e, user) {
			n++
		}
	}
	return n
}

func isForUser(e *journal.Entry, user int64) bool {
	return slices.Contains(e.Audiences, everyone) || slices.Contains(e.Audiences, userAudience(user))
}

var errSim = errors.New("the database cannot be reached")

// simStore is a node's way to the log.
type simStore struct {
	*simWorld
	node *simNode
	d    *dice
}

// trip is the way to the database or back.
func (s simStore) trip(ctx context.Context) error {
	s.node.awaken()
	wait := s.d.in(20*time.Microsecond, 2*time.Millisecond)
	if s.d.percent(s.hazards().slow) {
		wait = s.d.in(time.Millisecond, 700*time.Millisecond)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.node.awaken()
	if s.cut() || s.d.percent(s.hazards().failed) {
		return errSim
	}
	return nil
}

func (s simStore) cut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down || s.node.cut.Load()
}

// ask goes there, looks at one moment, and comes back.
func ask[T any](ctx context.Context, s simStore, look func() T) (answer T, err error) {
	if err = s.trip(ctx); err != nil {
		return answer, err
	}
	s.mu.Lock()
	answer = look()
	s.mu.Unlock()
	err = s.trip(ctx)
	s.node.sim.tell("node %d is answered %v, %v", s.node.id, answer, err)
	return answer, err
}

func (s simStore) Head(ctx context.Context) (journal.Head, error) {
	return ask(ctx, s, s.headNow)
}

func (s simStore) headNow() journal.Head {
	return journal.Head{Epoch: s.epoch, Offset: int64(len(s.entries)), Trimmed: s.trimmed, Now: time.Now().UnixMilli()}
}

func (s simStore) After(ctx context.Context, offset int64, limit int) ([]journal.Entry, error) {
	return ask(ctx, s, func() (found []journal.Entry) {
		for i := max(offset, s.trimmed); i < int64(len(s.entries)) && len(found) < limit; i++ {
			if !s.hidden[i][s.node.id].After(time.Now()) {
				found = append(found, s.entries[i])
			}
		}
		return found
	})
}

func (s simStore) Between(ctx context.Context, after, upTo int64, grants []journal.Grant, limit int) ([]journal.Entry, error) {
	return ask(ctx, s, func() (found []journal.Entry) {
		for i := max(after, s.trimmed); i < min(upTo, int64(len(s.entries))) && len(found) < limit; i++ {
			mine := slices.ContainsFunc(grants, func(g journal.Grant) bool {
				return slices.Contains(s.entries[i].Audiences, g.Audience) && s.entries[i].Offset > g.After
			})
			if mine {
				found = append(found, s.entries[i])
			}
		}
		return found
	})
}

func (s simStore) Commit(ctx context.Context, drafts []journal.Draft) ([]journal.Receipt, error) {
	receipts, err := ask(ctx, s, func() []journal.Receipt {
		receipts := s.append(s.node.id, s.d, drafts)
		s.node.sim.tell("node %d commits %s-%d %s", s.node.id, s.epoch, receipts[0].Offset, drafts[0].Payload)
		return receipts
	})
	if err == nil && s.d.percent(s.hazards().unknown) {
		err = errSim
	}
	return receipts, err
}

func (s simStore) ReplaceEpoch(ctx context.Context, old, _ string) error {
	_, err := ask(ctx, s, func() bool {
		if s.epoch == old {
			s.renew()
			s.resets = true
		}
		return true
	})
	return err
}

// row is a session as the database has it.
func (s simStore) row(ctx context.Context, id string) (*Live, error) {
	return ask(ctx, s, func() *Live {
		now := models.InstantOf(time.Now())
		l := &Live{Session: models.Session{ID: id, UserID: userOf(id), State: models.SessionActive, CreatedAt: now, LastActiveAt: now}, Now: now, User: models.User{ID: userOf(id)}, AsOf: int64(len(s.entries))}
		if s.locked[lockAudience(id)] {
			reason := models.ReasonManual
			l.State, l.Reason = models.SessionLocked, &reason
		}
		l.Verdict = l.Judge(simLimits, now)
		return l
	})
}

// summary is what a hello says of a person.
func (s simStore) summary(ctx context.Context, user *models.User) (Summary, error) {
	return ask(ctx, s, func() Summary {
		head := s.headNow()
		return Summary{Head: head, Unread: s.count(user.ID, head.Offset), Now: models.Instant(head.Now),
			Grants: []journal.Grant{{Audience: userAudience(user.ID)}, {Audience: everyone}}}
	})
}

var simLimits = models.SessionLimits{Idle: 1000 * time.Hour, Max: 2000 * time.Hour, Warning: time.Minute}

func lockPayload(state models.SessionState) json.RawMessage {
	payload, err := json.Marshal(LockEvent{State: string(state)})
	if err != nil {
		panic(err)
	}
	return payload
}

var simLocked, simActive = lockPayload(models.SessionLocked), lockPayload(models.SessionActive)
