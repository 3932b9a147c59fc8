package faults_test

import (
	"fmt"
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
	unknown  outcome = iota // no answer ever: it may be delivered once or not at all
	acked                   // 201: it must be delivered
	refused                 // 4xx: it must not be delivered
	replayed                // 201 to a repeat of what was done already; counts as acked
)

// sent is one line of the publishers' book.
type sent struct {
	to      []string
	outcome outcome
	cursor  string // of the ack
}

// received is one line of a reader's book.
type received struct {
	cursor string
	letter letter
	at     time.Time
}

// ledger holds what publishers were told and what readers got, to be balanced in the end. It is safe
// for several goroutines.
type ledger struct {
	mu       sync.Mutex
	sent     map[letter]sent
	received map[string][]received // by reader, named user/device
	retries  int                   // requests whose outcome was unknown and that were sent again
	busy     int                   // answers 503
}

func newLedger() *ledger {
	return &ledger{sent: map[letter]sent{}, received: map[string][]received{}}
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

func (l *ledger) got(reader string, line received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received[reader] = append(l.received[reader], line)
}

// balance is what a ledger comes to, summed over its readers.
type balance struct {
	acked, replayed, refused, unknown int

	delivered  int // after dropping ids that were seen
	repeats    int // dropped for that
	lost       int // acked for this user and not delivered
	disordered int // an id or a publisher's number that went back
	duplicates int // one letter under two ids
	phantoms   int // refused and delivered all the same, or never sent
	foreign    int // meant for others
	misplaced  int // delivered under another id than the ack gave
}

func (b balance) faults() int {
	return b.lost + b.disordered + b.duplicates + b.phantoms + b.foreign + b.misplaced
}

// balance compares both sides, reader by reader.
func (l *ledger) balance() balance {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b balance
	for _, line := range l.sent {
		switch line.outcome {
		case acked:
			b.acked++
		case replayed:
			b.acked++
			b.replayed++
		case refused:
			b.refused++
		case unknown:
			b.unknown++
		}
	}
	for reader, lines := range l.received {
		user, _, _ := strings.Cut(reader, "/")
		b.read(l.sent, user, lines)
	}
	return b
}

func (b *balance) read(book map[letter]sent, user string, lines []received) {
	ids, letters := map[string]bool{}, map[letter]bool{}
	last, of := int64(-1), map[int]int{} // the last offset, and of each publisher the last number
	for _, line := range lines {
		offset := offsetOf(line.cursor)
		if ids[line.cursor] {
			b.repeats++
			continue
		}
		ids[line.cursor] = true
		b.delivered++
		before, known := of[line.letter.Publisher]
		if offset <= last || known && line.letter.Number < before {
			b.disordered++
		}
		last, of[line.letter.Publisher] = max(last, offset), max(before, line.letter.Number)
		if letters[line.letter] {
			b.duplicates++
		}
		letters[line.letter] = true
		b.judge(book, user, line)
	}
	for which, line := range book {
		if (line.outcome == acked || line.outcome == replayed) && isFor(line.to, user) && !letters[which] {
			b.lost++
		}
	}
}

// judge says whether one delivery should have been.
func (b *balance) judge(book map[letter]sent, user string, line received) {
	was, exists := book[line.letter]
	switch {
	case !exists || was.outcome == refused:
		b.phantoms++
	case !isFor(was.to, user):
		b.foreign++
	case was.cursor != "" && was.cursor != line.cursor:
		b.misplaced++
	}
}

func isFor(to []string, user string) bool {
	for _, name := range to {
		if name == user {
			return true
		}
	}
	return false
}

// offsetOf reads the number of an id "EPOCH-OFFSET"; -1 when it is none.
func offsetOf(id string) int64 {
	_, digits, _ := strings.Cut(id, "-")
	offset, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return offset
}

func (b balance) String() string {
	return fmt.Sprintf("acked %d (%d of them told again), refused %d, unknown %d; delivered %d, repeats dropped %d; "+
		"lost %d, out of order %d, duplicates %d, phantoms %d, foreign %d, misplaced %d",
		b.acked, b.replayed, b.refused, b.unknown, b.delivered, b.repeats,
		b.lost, b.disordered, b.duplicates, b.phantoms, b.foreign, b.misplaced)
}
