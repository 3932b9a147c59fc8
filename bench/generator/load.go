package generator

import "time"

// rollCall is the audience of messages that only ask whether a stream is there.
const rollCall = 9_999_999

// Load is what is asked of the server, most of the time to publish. It is worked at while Run runs.
type Load struct {
	// Request appends one whole request that publishes these messages.
	Request func(b []byte, messages []Message) []byte
	// Call, in its place, appends one whole request that publishes nothing: the load's first is number 0.
	Call func(b []byte, n int) []byte
	// Answered is told of each answer to a call, and how long it took.
	Answered func(n, status int, took time.Duration)
	// To are the audiences, each in turn.
	To []int
	// Connections publish at most, each one request after the other.
	Connections int
	// UnderWay is how many messages may be on their way to some stream; 0 = any number.
	UnderWay int
	// Rate is how many requests are sent a second, evenly; 0 = as many as go.
	Rate float64
	// Due counts a message as sent when it was due by the rate. Without it a server that keeps all connections busy makes
	// those behind them look quick, for they are sent late.
	Due bool
	// Batch is how many messages a request has; 0 = one.
	Batch int
	// Count is how many requests there are in all; 0 = until Stop.
	Count int
	// Taken says of a line of the answer to a batch whether its message was taken. Without Batch the status tells.
	Taken func(line []byte) bool

	begun   time.Time
	sent    int // requests
	busy    int // of them, those that are not answered yet
	turn    int // of To
	calling bool
}

// Message is one message to an audience.
type Message struct {
	To   int
	Mark Mark
}

// Start begins with these loads, all at once, in place of those before.
func (l *Loop) Start(loads ...*Load) error {
	l.loads = loads
	connections := 0
	for _, load := range loads {
		load.begun = time.Now()
		connections += load.Connections
	}
	for len(l.all) < connections {
		p := &publisher{loop: l}
		p.onBody = p.body
		if err := p.connect(); err != nil {
			return err
		}
		l.all = append(l.all, p)
		l.idle = append(l.idle, p)
	}
	return nil
}

// Stop asks nothing more. What is under way is still waited for by Settled.
func (l *Loop) Stop() { l.loads = nil }

// Published says that of each load as many requests were answered as it has.
func (l *Loop) Published() bool {
	for _, load := range l.loads {
		if load.Count == 0 || load.sent < load.Count || load.busy > 0 {
			return false
		}
	}
	return true
}

// publish sends what is due, and says how long it is until something is.
func (l *Loop) publish() (wait time.Duration) {
	wait = longest
	for _, load := range l.loads {
		wait = min(wait, l.work(load))
	}
	return wait
}

func (l *Loop) work(load *Load) (wait time.Duration) {
	for len(l.idle) > 0 && load.busy < load.Connections {
		if load.Count > 0 && load.sent >= load.Count {
			return longest
		}
		if load.UnderWay > 0 && l.ledger.underWay >= load.UnderWay {
			return longest
		}
		if load.Rate > 0 {
			if wait := time.Until(load.due()); wait > 0 {
				return wait
			}
		}
		// That which has rested longest: one that is never used a server takes for a client who is late, and hangs up on it.
		p := l.idle[0]
		l.idle = l.idle[1:]
		p.renew()
		p.send(load)
	}
	return longest
}

// due is when the next request is to be sent by the rate.
func (load *Load) due() time.Time {
	return load.begun.Add(time.Duration(float64(load.sent) / load.Rate * float64(time.Second)))
}

// RollCall sends a message to each audience of the load, again and again, until every stream has got one: of a server
// that does not say when a stream is live, only that tells.
func (l *Loop) RollCall(load Load, limit time.Duration) error {
	load.UnderWay, load.Rate, load.Due, load.Batch, load.Count, load.calling = 0, 0, false, 0, len(load.To), true
	deadline := time.Now().Add(limit)
	for patience := time.Second; ; patience *= 2 {
		round := load
		if err := l.Start(&round); err != nil {
			return err
		}
		if err := l.Run("a roll call", time.Until(deadline), l.Published); err != nil {
			return err
		}
		l.Stop()
		err := l.Run("all streams to answer a roll call", min(patience, time.Until(deadline)), l.allCalled)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (l *Loop) allCalled() bool { return l.called == len(l.streams) }

// next makes the messages of the next request.
func (load *Load) next(l *Loop, messages []Message) []Message {
	now := time.Now()
	if load.Due {
		now = load.due()
	}
	for range max(load.Batch, 1) {
		m := Message{To: load.To[load.turn%len(load.To)], Mark: Mark{Audience: rollCall, Sent: now.UnixNano()}}
		load.turn++
		if !load.calling {
			m.Mark.Audience, m.Mark.Number = m.To, l.ledger.send(m.To)
		}
		messages = append(messages, m)
	}
	return messages
}
