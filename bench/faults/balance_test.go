package faults_test

import (
	"fmt"
	"strings"
	"time"
)

// kind is a way in which a promise can be broken.
type kind int

const (
	lost      kind = iota // acknowledged for this user, and not delivered or not in the inbox
	disorder              // an id or a publisher's number that went back
	duplicate             // one letter under two ids
	phantom               // refused and delivered all the same, or never sent
	foreign               // meant for others
	gap                   // passed over with no reset that says so
	misplaced             // delivered under another id than the ack gave
	broken                // an answer, a stream or a promise of another kind; the text says which
	kinds
)

var kindNames = [kinds]string{"lost", "order", "duplicate", "phantom", "foreign", "gap", "misplaced", "broken"}

func (k kind) String() string { return kindNames[k] }

// anomaly is one broken promise. when is the moment that a fault has to be blamed for: that of the
// publish for what is missing, that of the delivery for what should not have come.
type anomaly struct {
	kind kind
	when time.Time
	who  string // reader, user or publisher
	text string
}

func (a anomaly) String() string {
	return fmt.Sprintf("%v %s: %s: %s", a.kind, a.when.Format("15:04:05.000"), a.who, a.text)
}

// balance is what a ledger comes to, summed over its readers.
type balance struct {
	acked, replayed, refused, unknown int

	delivered int // after dropping ids that were seen
	repeats   int // dropped for that
	told      int // not delivered, and the reader was told by a reset
	void      int // not in the inbox, for the database that had them is no more
	wrong     [kinds]int
}

func (b balance) faults() (n int) {
	for _, count := range b.wrong {
		n += count
	}
	return n
}

func (b balance) String() string {
	text := fmt.Sprintf("acked %d (%d of them told again), refused %d, unknown %d; delivered %d, repeats dropped %d, told by reset %d, void %d",
		b.acked, b.replayed, b.refused, b.unknown, b.delivered, b.repeats, b.told, b.void)
	for k, count := range b.wrong {
		text += fmt.Sprintf(", %v %d", kind(k), count)
	}
	return text
}

// accountant goes through a ledger.
type accountant struct {
	*ledger
	balance
	due    map[string][]letter            // by user: what was acknowledged for them
	stored map[string]map[letter]position // by user: what the inbox has in the end, and where
	found  []anomaly
}

// balance compares both sides, reader by reader and inbox by inbox.
func (l *ledger) balance() (balance, []anomaly) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &accountant{ledger: l, due: map[string][]letter{}, stored: map[string]map[letter]position{}}
	for user, lines := range l.inboxes {
		a.stored[user] = map[letter]position{}
		for _, line := range lines {
			a.stored[user][line.letter] = line.at
		}
	}
	for which, line := range l.sent {
		a.count(which, line)
	}
	for reader, b := range l.books {
		user, _, _ := strings.Cut(reader, "/")
		delivered := a.read(reader, user, b)
		a.missing(reader, user, b, delivered)
	}
	if l.inboxes != nil {
		for user := range a.due {
			a.inbox(user, l.inboxes[user])
		}
	}
	for _, seen := range l.broken {
		a.report(seen)
	}
	return a.balance, a.found
}

func (a *accountant) report(found anomaly) {
	a.wrong[found.kind]++
	a.found = append(a.found, found)
}

func (a *accountant) count(which letter, line sent) {
	switch line.outcome {
	case acked, replayed:
		a.acked++
		if line.outcome == replayed {
			a.replayed++
		}
		for _, user := range line.to {
			a.due[user] = append(a.due[user], which)
		}
	case refused:
		a.refused++
	case unknown:
		a.unknown++
	}
}

// read goes through what one reader got, in the order it came, and tells which letters there were.
func (a *accountant) read(reader, user string, b *book) map[letter]bool {
	ids, ever := map[position]bool{}, map[letter]bool{}
	current := map[letter]bool{} // since the client last had to load anew
	of := map[int]int{}          // of each publisher the last number
	var last position
	next := 0
	for i, line := range b.lines {
		for ; next < len(b.resets) && b.resets[next].after <= i; next++ {
			if b.resets[next].to.epoch != last.epoch {
				current, of = map[letter]bool{}, map[int]int{}
			}
			last = b.resets[next].to
		}
		if ids[line.at] {
			a.repeats++
			continue
		}
		ids[line.at] = true
		a.delivered++
		a.order(reader, line, last, of)
		last = line.at
		if current[line.letter] {
			a.report(anomaly{duplicate, line.when, reader, fmt.Sprintf("%v again as %v", line.letter, line.at)})
		}
		current[line.letter], ever[line.letter] = true, true
		a.judge(reader, user, line)
	}
	return ever
}

// order compares a line with what came before it. The number of a letter whose publisher gave up says
// nothing: it may have been committed long after.
func (a *accountant) order(reader string, line received, last position, of map[int]int) {
	switch {
	case last.epoch != "" && line.at.epoch != last.epoch:
		a.report(anomaly{gap, line.when, reader, fmt.Sprintf("%v after %v without a reset", line.at, last)})
	case line.at.offset <= last.offset && last.epoch != "":
		a.report(anomaly{disorder, line.when, reader, fmt.Sprintf("%v after %v", line.at, last)})
	}
	if was := a.sent[line.letter]; was.outcome == unknown {
		return
	}
	before, known := of[line.letter.Publisher]
	if known && line.letter.Number < before {
		a.report(anomaly{disorder, line.when, reader, fmt.Sprintf("%v after number %d", line.letter, before)})
	}
	of[line.letter.Publisher] = max(before, line.letter.Number)
}

// judge says whether one delivery should have been.
func (a *accountant) judge(reader, user string, line received) {
	was, exists := a.sent[line.letter]
	switch {
	case !exists || was.outcome == refused:
		a.report(anomaly{phantom, line.when, reader, fmt.Sprintf("%v as %v", line.letter, line.at)})
	case !isFor(was.to, user):
		a.report(anomaly{foreign, line.when, reader, fmt.Sprintf("%v as %v, for %v", line.letter, line.at, was.to)})
	case was.at.epoch == line.at.epoch && was.at != line.at:
		a.report(anomaly{misplaced, line.when, reader, fmt.Sprintf("%v as %v, acknowledged as %v", line.letter, line.at, was.at)})
	}
}

// missing looks for what one reader should have got.
func (a *accountant) missing(reader, user string, b *book, delivered map[letter]bool) {
	for _, which := range a.due[user] {
		if delivered[which] {
			continue
		}
		line := a.sent[which]
		if b.excuses(line.at, a.stored[user][which]) {
			a.told++
			continue
		}
		a.report(anomaly{lost, line.asked, reader, fmt.Sprintf("%v, acknowledged as %v", which, line.at)})
		if n := len(b.lines); n > 0 && (b.lines[n-1].at.epoch != line.at.epoch || b.lines[n-1].at.offset > line.at.offset) {
			a.report(anomaly{gap, line.asked, reader, fmt.Sprintf("%v at %v was passed over without a reset", which, line.at)})
		}
	}
}

// excuses says whether a reset told the reader that a letter would not come: it lies in what was skipped,
// which the reader then loaded from the inbox. After a change of epoch the position of the
// acknowledgement may be of either; where the letter is found in the end counts then, and one that is
// not found is for the inbox to miss.
func (b *book) excuses(told, found position) bool {
	for _, r := range b.resets {
		switch {
		case r.from.epoch == r.to.epoch:
			if told.epoch == r.from.epoch && told.offset > r.from.offset && told.offset <= r.to.offset {
				return true
			}
		case told.epoch == r.to.epoch:
			if told.offset <= r.to.offset {
				return true
			}
		case told.epoch == r.from.epoch:
			if found.offset <= r.to.offset {
				return true
			}
		}
	}
	return false
}

// inbox compares what a user finds in the end with what was acknowledged.
func (a *accountant) inbox(user string, lines []received) {
	have := map[letter]bool{}
	for _, line := range lines {
		if have[line.letter] {
			a.report(anomaly{duplicate, a.sent[line.letter].asked, user, fmt.Sprintf("%v twice in the inbox, also as %v", line.letter, line.at)})
		}
		have[line.letter] = true
		if was, exists := a.sent[line.letter]; !exists || was.outcome == refused {
			a.report(anomaly{phantom, was.asked, user, fmt.Sprintf("%v in the inbox as %v", line.letter, line.at)})
		} else if !isFor(was.to, user) {
			a.report(anomaly{foreign, was.asked, user, fmt.Sprintf("%v in the inbox, for %v", line.letter, was.to)})
		}
	}
	for _, which := range a.due[user] {
		line := a.sent[which]
		switch {
		case have[which]:
		case a.gone != nil && a.gone(line):
			a.void++
		default:
			a.report(anomaly{lost, line.asked, user, fmt.Sprintf("%v, acknowledged as %v, is not in the inbox", which, line.at)})
		}
	}
}
