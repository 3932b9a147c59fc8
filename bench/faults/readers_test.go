package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"belfry/bench/server"
	"belfry/bench/stream"
)

// prober is the publisher of the letters that go to everyone to see whether all is well.
const prober = 1000

// follow reads a stream for as long as the load lasts, and writes down what comes.
func (l *load) follow(reader *stream.Reader, name string) {
	l.readers = append(l.readers, reader)
	l.opens(name)
	l.probes.join(name)
	l.reading.Go(func() {
		diary := diary{load: l, name: name}
		if err := reader.Follow(l.present, diary.event); err != nil && !errors.Is(err, context.Canceled) {
			l.breaks(broken, name, "the stream: %v", err)
		}
	})
}

// diary is what one reader knows of its stream.
type diary struct {
	*load
	name  string
	at    position // the last one that it has for certain
	moved bool     // hello continued from elsewhere; a reset has to say so
}

func (d *diary) event(e stream.Event) bool {
	if d.moved && e.Name != "reset" && e.Name != "lock" && e.Name != "pause" {
		d.breaks(gap, d.name, "moved from %v, and then came %s instead of a reset", d.at, e.Name)
		d.moved = false
	}
	switch e.Name {
	case "hello":
		d.hasOpened(time.Now())
		var hello struct{ Resumed bool }
		_ = json.Unmarshal([]byte(e.Data), &hello) // the reader has checked it
		d.moved = d.at.epoch != "" && !hello.Resumed
		if !d.moved {
			d.at = positionOf(e.ID)
		}
	case "reset":
		to := positionOf(e.ID)
		d.gotReset(d.name, d.at, to)
		d.at, d.moved = to, false
	case "ping":
		d.pings.Add(1)
	case "notice":
		d.notice(e)
	case "notice_state":
		d.at = positionOf(e.ID)
	}
	return true
}

func (d *diary) notice(e stream.Event) {
	var notice struct{ Data letter }
	if err := json.Unmarshal([]byte(e.Data), &notice); err != nil {
		d.breaks(broken, d.name, "a notice that cannot be read: %v: %q", err, e.Data)
		return
	}
	line := received{at: positionOf(e.ID), letter: notice.Data, when: time.Now()}
	d.at = line.at
	d.got(d.name, line)
	if notice.Data.Publisher == prober {
		d.probes.arrived(notice.Data.Number, d.name, line.when)
	}
}

// hasOpened notes that a stream was opened, for the first time or again.
func (l *load) hasOpened(at time.Time) {
	l.mu.Lock()
	l.opened = append(l.opened, at)
	l.mu.Unlock()
	l.begun.Add(1)
}

// openedSince tells when streams were opened.
func (l *load) openedSince(when time.Time) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.opened), when.After)
}

// probes are the letters to everyone, and when they came to whom.
type probes struct {
	mu      sync.Mutex
	readers map[string]bool
	last    *probe
	count   int
}

// probe is one of them, or the next that a reader gets after it.
type probe struct {
	number  int
	waiting map[string]bool
	came    []time.Time // to each reader, in the order of coming
	all     chan struct{}
	mu      *sync.Mutex
}

func (p *probes) join(reader string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readers == nil {
		p.readers = map[string]bool{}
	}
	p.readers[reader] = true
}

// begin waits for a letter to everyone that is sent from now on.
func (p *probes) begin() *probe {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = &probe{number: p.count + 1, waiting: maps.Clone(p.readers), all: make(chan struct{}), mu: &p.mu}
	return p.last
}

func (p *probes) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	return p.count
}

func (p *probes) arrived(number int, reader string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil || number < p.last.number || !p.last.waiting[reader] {
		return
	}
	delete(p.last.waiting, reader)
	p.last.came = append(p.last.came, at)
	if len(p.last.waiting) == 0 {
		close(p.last.all)
	}
}

// missing names the readers that have not got it.
func (p *probe) missing() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.waiting))
}

// since tells after how long each reader got it; who has not got it has waited until now.
func (p *probe) since(when time.Time) []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var took []time.Duration
	for _, at := range p.came {
		took = append(took, at.Sub(when))
	}
	return slices.Concat(took, slices.Repeat([]time.Duration{time.Since(when)}, len(p.waiting)))
}

// probeAgain is after how long another letter is sent to who has not got the first: a reset may have
// told them that it will not come.
const probeAgain = 2 * time.Second

// probe sends a letter to everyone, by whichever caller it succeeds, and waits until all readers have it.
func (l *load) probe(limit time.Duration) *probe {
	p := l.probes.begin()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		l.sendProbe(letter{prober, l.probes.next()}, deadline)
		select {
		case <-p.all:
			return p
		case <-time.After(min(probeAgain, time.Until(deadline))):
		}
	}
	return p
}

func (l *load) sendProbe(which letter, deadline time.Time) {
	line := sent{to: l.people, asked: time.Now()}
	l.note(which, line)
	for i := 0; line.outcome == unknown && time.Now().Before(deadline); i++ {
		asked := line.asked
		line, _ = l.try(l.callers[i%len(l.callers)], which, map[string]any{"everyone": true})
		line.to, line.asked, line.told = l.people, asked, time.Now()
		if line.outcome == unknown {
			time.Sleep(tryAgain)
		}
	}
	l.note(which, line)
}

// lookInto writes down what a user's inbox holds, page by page, as it was when the first was asked for.
func (l *load) lookInto(user string, as *server.Caller) error {
	before := ""
	for {
		var page struct {
			Items []struct {
				Cursor string
				Data   letter
			}
			Next *string `json:"next_before"`
		}
		answer, err := as.Call(context.Background(), http.MethodGet, "/api/v1/notices?state=all&limit=200"+before, nil)
		if err != nil || answer.Status != http.StatusOK {
			return fmt.Errorf("the inbox of %s: %d %s: %w", user, answer.Status, answer.Body, err)
		}
		if err := json.Unmarshal(answer.Body, &page); err != nil {
			return err
		}
		lines := make([]received, len(page.Items))
		for i, item := range page.Items {
			lines[i] = received{at: positionOf(item.Cursor), letter: item.Data}
		}
		l.hasRead(user, lines)
		if page.Next == nil {
			return nil
		}
		before = "&before=" + *page.Next
	}
}
