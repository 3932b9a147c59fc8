package journal

import (
	"context"

	"gorm.io/gorm"
)

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
	var receipts []Receipt
	err := j.inOneTransaction(ctx, func(tx *gorm.DB) (err error) {
		receipts, err = j.store.append(ctx, tx, drafts)
		return err
	})
	if err != nil {
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

// inOneTransaction leaves BEGIN and COMMIT out on PostgreSQL, where the one statement is its own
// transaction: with them the advisory lock would be held over a round trip to this process.
func (j *Journal) inOneTransaction(ctx context.Context, fn func(tx *gorm.DB) error) error {
	db := j.write.WithContext(ctx)
	if _, single := j.store.(postgresStore); single {
		return fn(db)
	}
	return db.Transaction(fn)
}
