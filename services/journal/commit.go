package journal

import (
	"context"
	"sync"
	"time"

	"belfry/services/tracing"
)

// commitLoop takes whatever queued while the last transaction ran and commits it as the next one. So
// a lone publisher waits for nobody, and a thousand share one fsync. Only after a full batch, which has nothing to gain
// from waiting, the next may be under way beside it, where the store has use for that: while the database works on one,
// the other is put together and sent.
func (j *Journal) commitLoop() {
	defer close(j.done)
	var full sync.WaitGroup
	defer full.Wait()
	slots := make(chan struct{}, j.store.atOnce())
	var last int        // callers of the last transaction
	var began time.Time // when it did
	var held *pending   // the second use of a key within one batch waits for the next
	for {
		first := held
		if first == nil {
			select {
			case first = <-j.queue:
			case <-j.closed:
				select {
				case first = <-j.queue: // finish what was accepted
				default:
					return
				}
			}
			j.line.leave(first)
		}
		batch, isFull, rest := j.gather(first, last, began.Add(lingerFor))
		began, last, held = time.Now(), len(batch), rest
		slots <- struct{}{}
		if !isFull {
			j.commit(batch)
			<-slots
			continue
		}
		full.Go(func() {
			j.commit(batch)
			<-slots
		})
	}
}

// lingerFor is how long after the beginning of one transaction the next may wait to become as large. A transaction costs
// the database much the same however many it is for, and publishers who were answered together come back together, a
// moment after the next would have begun without them. Once all of them are back nobody is waited for, so a lone
// publisher never waits. Of 1 to 4 ms, 2 ms gave the most notices a second.
const lingerFor = 2 * time.Millisecond

// gather takes what waits, up to a full batch; where that is less than enough callers, it waits for more until a time. One
// that uses a key which is in the batch already is held for the next.
func (j *Journal) gather(first *pending, enough int, until time.Time) (batch []*pending, full bool, held *pending) {
	used := map[Once]bool{}
	n := 0
	for p := first; p != nil; p = j.another(len(batch) < enough, until) {
		if !claim(used, p) {
			return batch, false, p
		}
		batch = append(batch, p)
		if n += len(p.drafts); n >= batchLimit {
			return batch, true, nil
		}
	}
	return batch, false, nil
}

// another is the next that waits; where none does, and the caller is patient, the first to come until a time. nil = none.
func (j *Journal) another(patient bool, until time.Time) (p *pending) {
	select {
	case p = <-j.queue:
		j.line.leave(p)
		return p
	default:
	}
	if !patient {
		return nil
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case p = <-j.queue:
		j.line.leave(p)
	case <-timer.C:
	case <-j.closed:
	}
	return p
}

// claim notes the keys of a caller's drafts, unless one is there.
func claim(used map[Once]bool, p *pending) bool {
	for i := range p.drafts {
		if once := p.drafts[i].Once; once != nil && used[once.name()] {
			return false
		}
	}
	for i := range p.drafts {
		if once := p.drafts[i].Once; once != nil {
			used[once.name()] = true
		}
	}
	return true
}

func (o *Once) name() Once { return Once{Principal: o.Principal, Key: o.Key} }

func (j *Journal) commit(batch []*pending) {
	var drafts []Draft
	for _, p := range batch {
		drafts = append(drafts, p.drafts...)
		because(drafts[len(drafts)-len(p.drafts):], p.cause)
	}
	span := commitSpan(batch, len(drafts))
	defer span.End()
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	epoch, began := j.Epoch(), time.Now()
	receipts, err := j.store.commit(ctx, drafts)
	if err != nil && len(batch) > 1 && j.store.rejects(err) {
		for _, p := range batch { // one of them is at fault, and the others need not know
			j.commit([]*pending{p})
		}
		return
	}
	j.counts.committed(batch, len(drafts), began, err)
	if err != nil {
		tracing.Fail(span, "unavailable")
		j.doubt()
		for _, p := range batch {
			p.err = err
			close(p.done)
		}
		return
	}
	j.published(epoch, committed(drafts, receipts))
	for _, p := range batch {
		p.receipts, receipts = receipts[:len(p.drafts)], receipts[len(p.drafts):]
		close(p.done)
	}
}

// because says of drafts that are this package's own what brought them.
func because(drafts []Draft, cause *tracing.Cause) {
	for i := range drafts {
		drafts[i].cause = cause
	}
}

// committed turns what was appended into what the log now holds, without asking it again.
func committed(batch []Draft, receipts []Receipt) []Entry {
	entries := make([]Entry, 0, len(batch))
	for i, d := range batch {
		if receipts[i].Replayed || receipts[i].Offset == 0 {
			continue
		}
		subject := d.Subject
		if subject == 0 {
			subject = receipts[i].Offset
		}
		entries = append(entries, Entry{
			Offset: receipts[i].Offset, Kind: d.Kind, Subject: subject, Actor: d.Actor, Topic: d.Topic, CollapseKey: d.CollapseKey,
			Audiences: d.Audiences, Payload: d.Payload, CreatedAt: receipts[i].CreatedAt, ExpiresAt: d.ExpiresAt, Cause: d.cause,
		})
	}
	return entries
}
