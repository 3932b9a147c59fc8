package generator

import "time"

// Tally is what became of the messages.
type Tally struct {
	Delivered int // each counts once for each stream
	Doubled   int // came to a stream that had it already
	Disorder  int // came after one of its audience that was sent when this one had been acknowledged
	Foreign   int // came to a stream of another audience, or was never sent

	Acked   int // messages that the server took
	Refused int // messages that it did not take

	// The latency of deliveries: from the sending of the message, and from its acknowledgement, 0 where the delivery
	// came before that. Ack is from the sending to the acknowledgement.
	Latency, AfterAck, Ack Histogram
}

// audience is one line of numbers and how far it has come.
type audience struct {
	streams int
	sent    int     // numbers 0 to sent-1 were sent
	missing []int32 // by number: streams that do not have it yet
	acked   []int64 // by number: when it was acknowledged, ns since 1970; 0 = not yet
	latency *Histogram
}

// ledger keeps the audiences and the tally.
type ledger struct {
	audiences []audience
	tally     *Tally
	underWay  int // messages that some stream has not got yet
	owed      int // deliveries that have not come yet
}

// send gives the next number of an audience.
func (l *ledger) send(to int) (number int) {
	a := &l.audiences[to]
	number = a.sent
	a.sent++
	a.missing = append(a.missing, int32(a.streams))
	a.acked = append(a.acked, 0)
	if a.streams > 0 {
		l.underWay++
		l.owed += a.streams
	}
	return number
}

// ack notes the answer to a message.
func (l *ledger) ack(m Mark, taken bool, now int64) {
	if !taken {
		l.tally.Refused++
		l.refuse(m)
		return
	}
	l.tally.Acked++
	l.tally.Ack.Add(time.Duration(now - m.Sent))
	l.audiences[m.Audience].acked[m.Number] = now
}

// refuse takes a message back: nobody waits for it any more.
func (l *ledger) refuse(m Mark) {
	a := &l.audiences[m.Audience]
	if left := a.missing[m.Number]; left > 0 {
		l.owed -= int(left)
		l.underWay--
		a.missing[m.Number] = 0
	}
}

// subscription is what one stream has got of one audience.
type subscription struct {
	audience int
	from     int      // the first number that is due
	latest   int64    // when the last-sent of those that came was sent
	got      []uint64 // by number, one bit each
	untimed  bool
}

// note accounts for one delivery.
func (l *ledger) note(s *subscription, m Mark, now int64) {
	a := &l.audiences[m.Audience]
	if m.Number >= a.sent || m.Number < s.from {
		l.tally.Foreign++
		return
	}
	word, bit := m.Number>>6, uint64(1)<<(m.Number&63)
	for len(s.got) <= word {
		s.got = append(s.got, 0)
	}
	if s.got[word]&bit != 0 {
		l.tally.Doubled++
		return
	}
	s.got[word] |= bit
	acked := a.acked[m.Number]
	if acked != 0 && acked < s.latest {
		l.tally.Disorder++
	}
	s.latest = max(s.latest, m.Sent)
	l.tally.Delivered++
	if !s.untimed {
		l.time(a, m, acked, now)
	}
	if a.missing[m.Number] > 0 { // not of one that was refused and came all the same
		l.owed--
		if a.missing[m.Number]--; a.missing[m.Number] == 0 {
			l.underWay--
		}
	}
}

// time adds the latencies of one delivery.
func (l *ledger) time(a *audience, m Mark, acked, now int64) {
	took := time.Duration(now - m.Sent)
	l.tally.Latency.Add(took)
	if a.latency != nil {
		a.latency.Add(took)
	}
	if acked == 0 {
		acked = now
	}
	l.tally.AfterAck.Add(time.Duration(now - acked))
}
