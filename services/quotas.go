package services

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"belfry/models"
)

// quotas counts what keys with a limit publish. A key's bucket fills evenly, so that a limit of 60/m lets 60 through at once,
// and then one each second. It counts per node: with n nodes a key may send n times as much.
type quotas struct {
	refusals atomic.Int64

	mu      sync.Mutex
	now     func() time.Time
	buckets map[int64]bucket // as many as there are keys with a limit
}

// Quota is how much of its limit a key has left. The zero Quota is no limit.
type Quota struct {
	Limit     int
	Remaining int
	Reset     time.Duration // until all of the limit is there again
}

var errQuota = models.Error{Code: models.CodeRateLimited, Detail: "The key has published as much as it may; come again later."}

// Spend takes n notices off a key's limit, or none and says when they will be there.
func (k *Keys) Spend(key *models.Key, n int) (Quota, error) {
	rate := key.Rate()
	if rate.Count == 0 {
		return Quota{}, nil
	}
	return k.quotas.spend(key.ID, rate, n)
}

// Spent refuses a key that may not publish even one notice now. It takes nothing.
func (k *Keys) Spent(key *models.Key) (Quota, error) {
	rate := key.Rate()
	if rate.Count == 0 {
		return Quota{}, nil
	}
	return k.quotas.judge(key.ID, rate, 1, 0)
}

func (q *quotas) spend(id int64, rate models.Rate, n int) (Quota, error) {
	return q.judge(id, rate, n, n)
}

// judge says whether there is room for n, and then takes so many of it.
func (q *quotas) judge(id int64, rate models.Rate, n, take int) (Quota, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, perSecond := q.now(), float64(rate.Count)/rate.Per.Seconds()
	b := q.buckets[id]
	b.level = max(0, b.level-now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	var err error
	switch over := b.level + float64(n) - float64(rate.Count); {
	case n > rate.Count:
		err = models.Errorf(models.CodeTooLarge, "More notices at once than the key may publish in all of its time.")
	case over > quotaSlack:
		q.refusals.Add(1)
		refused := errQuota
		refused.RetryAfter = seconds(over / perSecond)
		err = &refused
	default:
		b.level += float64(take)
	}
	q.buckets[id] = b
	return Quota{Limit: rate.Count, Remaining: int(math.Max(0, float64(rate.Count)-b.level+quotaSlack)), Reset: seconds(b.level / perSecond)}, err
}

// forget drops the count of a key that is no more.
func (q *quotas) forget(id int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.buckets, id)
}

// quotaSlack is what rounding may cost: a notice that is due at this very moment is let through.
const quotaSlack = 1e-6

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
