package journal

import "context"

// commitLoop takes whatever queued while the last transaction ran and commits it as the next one. So
// a lone publisher waits for nobody, and a thousand share one fsync.
func (j *Journal) commitLoop() {
	defer close(j.done)
	var held *pending // the second use of a key within one batch waits for the next
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
		}
		var batch []*pending
		batch, held = j.gather(first)
		j.commit(batch)
	}
}

func (j *Journal) gather(first *pending) (batch []*pending, held *pending) {
	batch = append(batch, first)
	used := map[Once]bool{}
	note := func(p *pending) bool {
		if p.draft.Once == nil {
			return true
		}
		k := Once{Principal: p.draft.Once.Principal, Key: p.draft.Once.Key}
		if used[k] {
			return false
		}
		used[k] = true
		return true
	}
	note(first)
	for len(batch) < batchLimit {
		select {
		case p := <-j.queue:
			if !note(p) {
				return batch, p
			}
			batch = append(batch, p)
		default:
			return batch, nil
		}
	}
	return batch, nil
}

func (j *Journal) commit(batch []*pending) {
	drafts := make([]Draft, len(batch))
	for i, p := range batch {
		drafts[i] = p.draft
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	receipts, err := j.store.commit(ctx, drafts)
	if err != nil {
		j.doubt()
		for _, p := range batch {
			p.err = err
			close(p.done)
		}
		return
	}
	j.published(committed(drafts, receipts))
	for i, p := range batch {
		p.receipt = receipts[i]
		if p.receipt.Replayed && p.receipt.Offset == 0 {
			p.err = ErrOnceReused
		}
		close(p.done)
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
			Audiences: d.Audiences, Payload: d.Payload, CreatedAt: receipts[i].CreatedAt, ExpiresAt: d.ExpiresAt,
		})
	}
	return entries
}
