package services

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

// simClient is a client as the contract wants one, and its side of the ledger.
type simClient struct {
	sim     *simulation
	d       *dice
	session string // "2.1" is of user 2
	byKey   bool   // its ticket was minted by a key: it has no session

	buffer  []byte
	acked   int64 // what the stream's node had acknowledged when it was asked for
	asOf    int64 // the entries that are part of what the stream said first
	greeted bool
	refused bool // hello did not resume: a reset is due
	locked  bool

	last   string           // the id it will come back with
	epoch  string           // the one it was told of
	high   map[string]int64 // of each epoch, the last offset it knows of
	cover  map[string]int64 // of each epoch, up to where its inbox has everything
	seen   map[string]string
	under  map[string]string // of each letter, the id
	resets int
	faults []string
}

func newSimClient(sim *simulation, d *dice, session string, byKey bool) *simClient {
	return &simClient{sim: sim, d: d, session: session, byKey: byKey,
		high: map[string]int64{}, cover: map[string]int64{}, seen: map[string]string{}, under: map[string]string{}}
}

func (c *simClient) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf("client %s: ", c.session)+fmt.Sprintf(format, args...))
}

// live opens one stream after the other, on whichever node.
func (c *simClient) live(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(c.d.in(time.Millisecond, 400*time.Millisecond))
		if s := c.sim.nodes[c.d.upTo(2)].now.Load(); s != nil {
			c.connect(ctx, s)
		}
	}
}

// connect reads one stream until it ends.
func (c *simClient) connect(ctx context.Context, s *simServer) {
	s.node.awaken()
	cut := c.d.in(2*time.Second, time.Minute)
	if c.d.percent(c.sim.world.hazards().cut) {
		cut = c.d.in(time.Millisecond, 2*time.Second)
	}
	serving, cancel := context.WithCancel(s.ctx)
	defer cancel()
	defer time.AfterFunc(cut, func() {
		if !c.sim.calm.Load() {
			cancel()
		}
	}).Stop()
	acked := s.acked.Load()
	defer context.AfterFunc(ctx, cancel)()
	who := &identity{user: models.User{ID: userOf(c.session)}, key: 1}
	if !c.byKey {
		live, err := s.streams.sessions.current(serving, c.session)
		if err != nil {
			return
		}
		who = &identity{live: live, user: live.User}
	}
	if !s.streams.admit(who.user.ID) {
		return
	}
	opening, err := s.streams.open(serving, who, StreamRequest{Wants: ClassAll, Position: c.last})
	if err != nil || opening.Stream == nil {
		s.streams.dismiss(who.user.ID, nil)
		return
	}
	c.buffer, c.acked, c.asOf, c.greeted, c.refused, c.locked = nil, acked, 0, false, false, false
	if live := who.live; live != nil {
		c.asOf = live.AsOf
	}
	c.sim.tell("client %s opens on node %d at %q", c.session, s.node.id, c.last)
	line := &simLine{client: c, server: s, ctx: serving, hangUp: cancel}
	_ = opening.Stream.Serve(serving, opening.First, line.write) // an end is as good as another
}

// simLine is the way from a server to a client.
type simLine struct {
	client *simClient
	server *simServer
	ctx    context.Context
	hangUp func()
	deaf   bool // nothing arrives any more, and nobody knows yet
	dead   bool
}

func (l *simLine) write(b []byte) error {
	l.server.node.awaken()
	c, hz := l.client, l.client.sim.world.hazards()
	wait := c.d.in(10*time.Microsecond, time.Millisecond)
	if c.d.percent(hz.stalled) {
		wait = c.d.in(time.Millisecond, 800*time.Millisecond)
	}
	time.Sleep(wait)
	switch {
	case l.dead || l.ctx.Err() != nil:
		return errGone
	case l.deaf:
		return nil
	case c.d.percent(hz.swallowed):
		l.deaf = true
		time.AfterFunc(c.d.in(time.Millisecond, 800*time.Millisecond), l.hangUp) // the client's watchdog
		return nil
	case c.d.percent(hz.torn):
		l.dead = true
		c.take(b[:c.d.upTo(len(b))])
		return errGone
	}
	c.take(b)
	return nil
}

// take parses what has arrived; a block that is not whole yet waits, and is lost with its connection.
func (c *simClient) take(b []byte) {
	c.buffer = append(c.buffer, b...)
	for {
		block, rest, whole := bytes.Cut(c.buffer, []byte("\n\n"))
		if !whole {
			return
		}
		c.buffer = rest
		var name, id, data string
		for line := range strings.Lines(string(block)) {
			field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch field {
			case "event":
				name = value
			case "id":
				id = value
			case "data":
				data = value
			}
		}
		c.event(name, id, data)
	}
}

func (c *simClient) event(name, id, data string) {
	c.sim.tell("client %s gets %s %s %s", c.session, name, id, data)
	if !c.greeted && name != "hello" {
		c.fault("%s before hello", name)
	}
	if c.refused && name != "reset" && name != "lock" && name != "pause" {
		c.fault("%s where a reset was due", name)
	}
	at, ok := journal.ParsePosition(id)
	if id != "" && !ok {
		c.fault("%s with the id %q", name, id)
	}
	switch name {
	case "hello":
		c.hello(at, id, data)
	case "lock":
		was := c.locked
		c.locked = strings.Contains(data, `"state":"locked"`)
		if was && !c.locked && c.sim.world.openedBy(c.session) <= c.asOf && !c.sim.world.wasReset() {
			c.fault("was opened by an unlock that is older than what its stream began with")
		}
	case "reset":
		c.reset(at, id)
	case "notice":
		c.notice(at, id, data)
	}
}

func (c *simClient) hello(at journal.Position, id, data string) {
	var h Hello
	if err := json.Unmarshal([]byte(data), &h); err != nil {
		c.fault("hello: %v", err)
	}
	c.greeted = true
	switch {
	case c.last == "":
		c.base(at)
	case h.Resumed && id != c.last:
		c.fault("resumed from %s, asked for %s", id, c.last)
	case !h.Resumed:
		c.refused = true
		return
	}
	c.last = id
	w := c.sim.world
	w.mu.Lock()
	defer w.mu.Unlock()
	head, ok := journal.ParsePosition(h.Head)
	if !ok || w.resets {
		return
	}
	if head.Offset < at.Offset {
		c.fault("hello counts as of %s what it passes over up to %s", h.Head, id)
	}
	if head.Offset < c.acked {
		c.fault("hello is as of %s, its node had acknowledged %d", h.Head, c.acked)
	}
	if h.Unread == nil {
		return
	}
	if n := w.count(userOf(c.session), head.Offset); n != *h.Unread {
		c.fault("hello counts %d unread as of %s, there were %d", *h.Unread, h.Head, n)
	}
}

// base is where the client begins: what lies before is in the inbox that it loads.
func (c *simClient) base(at journal.Position) {
	c.epoch = at.Epoch
	c.cover[at.Epoch] = max(c.cover[at.Epoch], at.Offset)
	c.high[at.Epoch] = max(c.high[at.Epoch], at.Offset)
}

func (c *simClient) reset(at journal.Position, id string) {
	w := c.sim.world
	w.mu.Lock()
	needless, ahead := !w.resets, at.Epoch == w.epoch && at.Offset > int64(len(w.entries))
	w.mu.Unlock()
	if needless {
		c.fault("a reset at %s, though nothing was trimmed and the epoch is the same", id)
	}
	if ahead {
		c.fault("a reset at %s, past the head", id)
	}
	c.refused, c.last = false, id
	c.resets++
	c.base(at)
}

func (c *simClient) notice(at journal.Position, id, data string) {
	_, rest, _ := strings.Cut(data, `"letter":"`)
	letter, _, _ := strings.Cut(rest, `"`)
	c.last = id
	if c.locked {
		c.fault("%s at %s came while locked", letter, id)
	}
	if at.Epoch != c.epoch {
		c.fault("%s of another epoch than %s, without a reset", id, c.epoch)
	}
	if before, again := c.seen[id]; again {
		if before != letter && !c.sim.world.wasReset() {
			c.fault("%s held %s, now %s", id, before, letter)
		}
		return
	}
	if at.Offset <= c.high[at.Epoch] {
		c.fault("%s after offset %d: out of order", id, c.high[at.Epoch])
	}
	c.high[at.Epoch] = max(c.high[at.Epoch], at.Offset)
	if other, twice := c.under[letter]; twice && !c.sim.world.wasReset() {
		c.fault("%s came as %s and as %s", letter, other, id)
	}
	c.seen[id], c.under[letter] = letter, id
	if to, _, _ := strings.Cut(letter, "-"); to != everyone && to != userAudience(userOf(c.session)) {
		c.fault("%s is another's", letter)
	}
	if !c.sim.world.lay(letter, at.Offset) {
		c.fault("%s never lay at %s", letter, id)
	}
}

// balance says what is missing in the end.
func (c *simClient) balance() {
	w := c.sim.world
	if c.epoch != w.epoch {
		c.fault("knows epoch %q, it is %q: a silent gap", c.epoch, w.epoch)
		return
	}
	if c.locked {
		c.fault("is still locked")
	}
	for i := range w.entries {
		e := &w.entries[i]
		id := fmt.Sprintf("%s-%d", w.epoch, e.Offset)
		if e.Kind == kindNotice && e.Offset > c.cover[w.epoch] && isForUser(e, userOf(c.session)) && c.seen[id] == "" {
			c.fault("%s at %s is lost; it stands at %s", e.Payload, id, c.last)
		}
	}
}
