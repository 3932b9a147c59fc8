package faults_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// letter names one publish: who sent it and the how-manieth it was. It travels in the notice.
type letter struct {
	Publisher int `json:"publisher"`
	Number    int `json:"number"`
}

// outcome is what a publisher knows of a letter in the end.
type outcome int

const (
	unknown  outcome = iota // no answer, and it gave up: it may be delivered once or not at all
	acked                   // 201: it must be delivered
	refused                 // 4xx: it must not be delivered
	replayed                // 201 to a repeat of what was done already; counts as acked
)

// position is an id "EPOCH-OFFSET" of the wire.
type position struct {
	epoch  string
	offset int64
}

// positionOf reads an id; the offset is -1 when it is none.
func positionOf(id string) position {
	epoch, digits, _ := strings.Cut(id, "-")
	offset, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		offset = -1
	}
	return position{epoch, offset}
}

// sent is one line of the publishers' book.
type sent struct {
	to      []string
	outcome outcome
	at      position // of the ack
	asked   time.Time
	told    time.Time // when the outcome was known
}

// received is one line of a reader's book.
type received struct {
	at     position
	letter letter
	when   time.Time
}

// reset is the server's word that what lies between two positions will not come.
type reset struct {
	after    int // as many lines came before it
	from, to position
}

// book is what one reader wrote down.
type book struct {
	lines  []received
	resets []reset
}

// ledger holds what publishers were told and what readers got, to be balanced in the end. It is safe
// for several goroutines.
type ledger struct {
	mu      sync.Mutex
	epochs  map[string]string // one copy of each
	sent    map[letter]sent
	books   map[string]*book      // by reader, named user/device
	inboxes map[string][]received // by user, as read in the end; nil when nobody looked
	broken  []anomaly             // what was seen to be wrong as it happened
	retries int                   // requests whose outcome was unknown and that were sent again
	busy    int                   // answers 503

	// gone says that an acknowledged letter may have been on a database that is no more. Nil: there is none.
	gone func(sent) bool
}

func newLedger() *ledger {
	return &ledger{sent: map[letter]sent{}, books: map[string]*book{}, epochs: map[string]string{}}
}

func (l *ledger) note(which letter, line sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[which] = line
}

func (l *ledger) noteRetry(busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retries++
	if busy {
		l.busy++
	}
}

// busyNow is how many answers 503 there were so far.
func (l *ledger) busyNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy
}

// opens begins a reader's book: who gets nothing is asked for too.
func (l *ledger) opens(reader string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.books[reader] = &book{}
}

func (l *ledger) got(reader string, line received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line.at = l.shared(line.at)
	b := l.books[reader]
	b.lines = append(b.lines, line)
}

func (l *ledger) gotReset(reader string, from, to position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.books[reader]
	b.resets = append(b.resets, reset{len(b.lines), l.shared(from), l.shared(to)})
}

// shared gives a position whose epoch is kept once: there are millions of positions and few epochs.
func (l *ledger) shared(p position) position {
	if known, ok := l.epochs[p.epoch]; ok {
		return position{known, p.offset}
	}
	epoch := strings.Clone(p.epoch) // the id it was cut from is not kept
	l.epochs[epoch] = epoch
	return position{epoch, p.offset}
}

// breaks writes down what no balance would show.
func (l *ledger) breaks(k kind, who, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = append(l.broken, anomaly{k, time.Now(), who, fmt.Sprintf(format, args...)})
}

// hasRead writes down what the inbox of a user holds in the end.
func (l *ledger) hasRead(user string, lines []received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inboxes == nil {
		l.inboxes = map[string][]received{}
	}
	l.inboxes[user] = append(l.inboxes[user], lines...)
}

func isFor(to []string, user string) bool { return slices.Contains(to, user) }
