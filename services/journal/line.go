package journal

import "sync"

// How much may wait to be committed; who comes next is told to come again.
const (
	queueLimit = 10_000   // entries
	queueBytes = 64 << 20 // of their payloads
	// actorShare is what part of both may be one actor's: one that publishes without end is turned away where others are not.
	actorShare = 2
)

// line is what waits to be committed, in all and of each actor.
type line struct {
	mu  sync.Mutex
	all load
	of  map[string]load // of those who have something there
}

type load struct {
	entries int
	bytes   int64
}

// over reports whether it is more than the given part of what may wait.
func (l load) over(part int64) bool {
	return int64(l.entries) > queueLimit/part || l.bytes > queueBytes/part
}

func (l load) plus(p *pending, sign int) load {
	return load{l.entries + sign*len(p.drafts), l.bytes + int64(sign)*p.bytes}
}

// actor is who wants it appended: whoever wants several at once has caused them all.
func (p *pending) actor() string {
	if len(p.drafts) == 0 {
		return ""
	}
	return p.drafts[0].Actor
}

// enter counts what is to wait; false = it would be too much.
func (l *line) enter(p *pending) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	actor := p.actor()
	all, own := l.all.plus(p, 1), l.of[actor].plus(p, 1)
	if all.over(1) || own.over(actorShare) {
		return false
	}
	l.all, l.of[actor] = all, own
	return true
}

func (l *line) leave(p *pending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	actor := p.actor()
	l.all = l.all.plus(p, -1)
	if own := l.of[actor].plus(p, -1); own.entries > 0 {
		l.of[actor] = own
	} else {
		delete(l.of, actor)
	}
}

func (l *line) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.entries
}
