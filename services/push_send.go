package services

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/SherClockHolmes/webpush-go"
	"gorm.io/gorm"

	"belfry/models"
)

// How the deliverer goes about it.
const (
	pushWidth     = 64              // messages on their way to one push service, from one node
	pushFirstWait = 5 * time.Second // after the first attempt that failed; twice as long after each further one
	pushLastWait  = time.Hour
)

// pushOutcome is how an attempt went.
type pushOutcome int

// The outcomes, in the order of their names.
const (
	pushSent     pushOutcome = iota // the push service took it
	pushUnwanted                    // read, withdrawn, silenced, of an ended session: there is nothing to push any more
	pushGone                        // the push service knows the subscription no more, so we neither
	pushRefused                     // the push service does not take it, and would not later
	pushPutOff                      // it will be tried again
	pushGivenUp                     // it was tried until nobody wanted it any more
	pushOutcomes
)

var pushOutcomeNames = [pushOutcomes]string{"sent", "unwanted", "gone", "refused", "put_off", "given_up"}

// Counts gives the counters of how attempts went on this node, by the outcome's name.
func (p *Push) Counts() map[string]func() int64 {
	counts := map[string]func() int64{}
	for i, name := range pushOutcomeNames {
		counts[name] = p.counts[i].Load
	}
	return counts
}

// attempt is a delivery that this node has a lease of, and how it went.
type attempt struct {
	models.PushDelivery
	NowMs        models.Instant
	subscription *models.PushSubscription // nil = gone
	message      push
	outcome      pushOutcome
	wait         time.Duration // pushPutOff
	throttled    bool          // pushPutOff, because too much was sent there
}

// Deliver sends what is due, until ctx ends.
func (p *Push) Deliver(ctx context.Context) {
	defer p.client.CloseIdleConnections()
	p.lanes.run(ctx, p.due, p.sendDue)
}

// due follows the log, and tells to which push services there is something to be sent now.
func (p *Push) due(ctx context.Context) (services []string, err error) {
	spread := p.spread(ctx)
	now := p.db.moment()
	err = p.db.Read.WithContext(ctx).Raw("SELECT DISTINCT service FROM push_deliveries WHERE due_at <= " + now + " AND leased_until <= " + now).Scan(&services).Error
	return services, errors.Join(spread, err)
}

// sendDue makes one attempt with what is due and tells how many there were. What fails is put off, so it comes to an end.
func (p *Push) sendDue(ctx context.Context, service string) (n int, err error) {
	private, err := p.privateKey(ctx)
	if err != nil {
		return 0, err
	}
	list, err := p.claim(ctx, service)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	// From here on what goes wrong leaves the lease to run out, after which any node tries again.
	if err := p.prepare(ctx, list, private); err != nil {
		return 0, err
	}
	var sending sync.WaitGroup
	for i := range list {
		if list[i].outcome == pushSent {
			sending.Go(func() { p.attempt(ctx, &list[i], private) })
		}
	}
	sending.Wait()
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), laneSettle)
	defer cancel()
	return len(list), p.settle(settling, list)
}

// claim takes a lease of what is due. It is one conditional statement, so of two nodes one gets a row.
func (p *Push) claim(ctx context.Context, service string) (list []attempt, err error) {
	lock := ""
	if p.db.Dialect == Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	now := p.db.moment()
	err = p.db.Write.WithContext(ctx).Raw(`UPDATE push_deliveries SET leased_until = `+now+` + ?, attempts = attempts + 1 WHERE id IN (
		SELECT id FROM push_deliveries WHERE service = ? AND due_at <= `+now+` AND leased_until <= `+now+`
		ORDER BY due_at, id LIMIT ?`+lock+`) RETURNING *, `+now+` AS now_ms`, laneLease.Milliseconds(), service, pushWidth).Scan(&list).Error
	return list, err
}

// attempt sends a message and says how it went.
func (p *Push) attempt(ctx context.Context, a *attempt, private string) {
	status, retryAfter, err := p.post(ctx, a, private)
	log := p.log.With("service", a.Service, "subscription", a.SubscriptionID)
	switch {
	case status >= http.StatusOK && status < http.StatusMultipleChoices:
		return
	case status == http.StatusNotFound || status == http.StatusGone:
		a.outcome = pushGone
		log.Info("a push service knows a subscription no more")
	case err != nil || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		if a.wait = max(retryAfter, pushWait(a.Attempts)); a.NowMs+models.Instant(a.wait.Milliseconds()) >= a.message.until {
			a.outcome = pushGivenUp
			log.Warn("a push is given up", "attempts", a.Attempts, "status", status, "error", err)
			return
		}
		a.outcome, a.throttled = pushPutOff, status == http.StatusTooManyRequests
		log.Debug("a push is put off", "attempts", a.Attempts, "status", status, "error", err)
	default:
		a.outcome = pushRefused
		log.Warn("a push service refuses a push", "status", status)
	}
}

// pushWait lies between an attempt that failed and the next.
func pushWait(attempts int) time.Duration {
	wait := pushLastWait
	if doubled := attempts - 1; doubled < 16 {
		wait = min(wait, pushFirstWait<<doubled)
	}
	return jittered(wait)
}

// post sends a message. A status of 0 means that no answer came. The error does not name the endpoint.
func (p *Push) post(ctx context.Context, a *attempt, private string) (status int, retryAfter time.Duration, err error) {
	left := time.Duration(a.message.until-a.NowMs) * time.Millisecond
	resp, err := webpush.SendNotificationWithContext(ctx, a.message.payload, &webpush.Subscription{Endpoint: a.subscription.Endpoint,
		Keys: webpush.Keys{Auth: a.subscription.Auth, P256dh: a.subscription.P256dh}}, &webpush.Options{HTTPClient: p.client, Subscriber: p.contact,
		Topic: a.message.topic, Urgency: a.message.urgency, TTL: int(left / time.Second), VAPIDPublicKey: p.public, VAPIDPrivateKey: private})
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return 0, 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, pushBody) // what it says, if anything, is of no interest
	return resp.StatusCode, pushRetryAfter(resp.Header.Get("Retry-After"), time.Now()), nil
}

// pushRetryAfter reads either form of the header (RFC 9110 §10.2.3); 0 of none.
func pushRetryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(pushLife/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), pushLife)
	}
	return 0
}

// rest puts off all that is due at a push service, where that wants nothing at all: to be asked once more for each of thousands
// is what it would shut us out for. One subscription that had too much stops no other.
func (p *Push) rest(tx *gorm.DB, list []attempt) error {
	wait := pushLife
	for i := range list {
		if !list[i].throttled {
			return nil
		}
		wait = min(wait, list[i].wait)
	}
	if len(list) < pushWidth {
		return nil
	}
	now := p.db.moment()
	return tx.Exec("UPDATE push_deliveries SET due_at = "+now+" + ? WHERE service = ? AND due_at <= "+now+" AND leased_until <= "+now,
		wait.Milliseconds(), list[0].Service).Error
}

// settle writes down how the attempts went. Where a lease ran out meanwhile, and another attempt began, that one decides.
func (p *Push) settle(ctx context.Context, list []attempt) error {
	err := p.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var over []int64
		for i := range list {
			a := &list[i]
			var err error
			switch a.outcome {
			case pushPutOff:
				err = tx.Exec("UPDATE push_deliveries SET leased_until = 0, due_at = "+p.db.moment()+" + ? WHERE id = ? AND attempts = ?", a.wait.Milliseconds(), a.ID, a.Attempts).Error
			case pushGone:
				err = tx.Exec("DELETE FROM push_subscriptions WHERE id = ? AND endpoint = ?", a.SubscriptionID, a.subscription.Endpoint).Error
				over = append(over, a.ID)
			default:
				over = append(over, a.ID)
			}
			if err != nil {
				return err
			}
		}
		if err := p.rest(tx, list); err != nil || len(over) == 0 {
			return err
		}
		return tx.Exec("DELETE FROM push_deliveries WHERE id IN ?", over).Error
	})
	if err != nil {
		return err
	}
	for i := range list {
		p.counts[list[i].outcome].Add(1)
	}
	return nil
}
