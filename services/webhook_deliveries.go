package services

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/tracing"
)

// The bounds of delivery.
const (
	webhookTimeout = 10 * time.Second // for a receiver to answer
	webhookWidth   = 20               // messages on their way to one receiver, from one node
	webhookHeader  = 16 << 10         // bytes of an answer's header
	webhookBody    = 4 << 10          // bytes of an answer's body that are read, so that its connection can be used again
)

// webhookWaits lie between the attempts: about 28 hours in all, after which a message is given up.
var webhookWaits = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	2 * time.Hour, 5 * time.Hour, 8 * time.Hour, 12 * time.Hour}

// webhookClient follows no redirect: who may be told is what an admin has said, and no receiver.
func webhookClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = webhookWidth
	transport.MaxResponseHeaderBytes = webhookHeader
	return &http.Client{Transport: transport, Timeout: webhookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// webhookDelivery is a message that this node has a lease of.
type webhookDelivery struct {
	ID        int64
	MessageID string
	Body      string
	Parent    string `gorm:"column:traceparent"` // of what it tells of
	Attempts  int    // this one counted
	NowMs     models.Instant
}

// Deliver sends what is due, until ctx ends.
func (w *Webhooks) Deliver(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	w.lanes.run(ctx, w.due, w.sendDue)
}

// due tells to which webhooks there is something to be sent now.
func (w *Webhooks) due(ctx context.Context) (ids []int64, err error) {
	var some bool
	db := w.db.Read.WithContext(ctx)
	if err := db.Raw("SELECT EXISTS (SELECT 1 FROM webhooks)").Scan(&some).Error; err != nil {
		return nil, err
	}
	if w.lanes.some.Store(some); !some {
		return nil, nil
	}
	now := w.db.moment()
	// The first alone, which the index gives at once. A node may be at it, and then there is nothing to be claimed.
	err = db.Raw("SELECT id FROM webhooks w WHERE disabled_at IS NULL AND (SELECT min(due_at) FROM webhook_deliveries d WHERE d.webhook_id = w.id) <= " + now).Scan(&ids).Error
	return ids, err
}

// sendDue sends the oldest messages that are due, each of another session, and counts those that arrived.
func (w *Webhooks) sendDue(ctx context.Context, id int64) (arrived int, err error) {
	var hook models.Webhook
	if err := w.db.Read.WithContext(ctx).Take(&hook, "id = ? AND disabled_at IS NULL", id).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = nil
		}
		return 0, err
	}
	secret, err := w.vault.Open(webhookPurpose(hook.URL), hook.Secret)
	if err != nil {
		return 0, err
	}
	signer, err := webhooks.NewWebhook(string(secret))
	if err != nil {
		return 0, errors.New("a stored secret is none") // the library's error repeats it
	}
	rows, err := w.claim(ctx, id)
	if err != nil {
		return 0, err
	}
	results := make([]bool, len(rows))
	var sending sync.WaitGroup
	for i := range rows {
		sending.Go(func() { results[i] = w.deliver(ctx, &hook, signer, &rows[i]) })
	}
	sending.Wait()
	for _, ok := range results {
		if ok {
			arrived++
		}
	}
	return arrived, nil
}

// claim takes a lease of what is due. It is one conditional statement, so of two nodes one gets a row; and of a session's
// messages only the oldest can be had, so the next is not sent before that has arrived or was given up. That is asked of each in
// its turn: as a join, all that waits would be read to find twenty.
func (w *Webhooks) claim(ctx context.Context, id int64) (rows []webhookDelivery, err error) {
	lock := ""
	if w.db.Dialect == Postgres {
		lock = " FOR UPDATE OF d SKIP LOCKED"
	}
	now := w.db.moment()
	err = w.db.Write.WithContext(ctx).Raw(`UPDATE webhook_deliveries SET leased_until = `+now+` + ?, attempts = attempts + 1 WHERE id IN (
		SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = ? AND d.due_at <= `+now+` AND d.leased_until <= `+now+` AND d.id = (
			SELECT min(e.id) FROM webhook_deliveries e WHERE e.webhook_id = d.webhook_id AND e.session_id = d.session_id)
		ORDER BY d.due_at, d.id LIMIT ?`+lock+`) RETURNING id, message_id, body, traceparent, attempts, `+now+` AS now_ms`,
		laneLease.Milliseconds(), id, webhookWidth).Scan(&rows).Error
	return rows, err
}

// deliver makes one attempt and writes down how it went.
func (w *Webhooks) deliver(ctx context.Context, hook *models.Webhook, signer *webhooks.Webhook, d *webhookDelivery) (arrived bool) {
	status, err := w.attempt(ctx, hook, signer, d)
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), laneSettle)
	defer cancel()
	if err != nil && ctx.Err() != nil {
		err = w.giveBack(settling, d)
	} else {
		arrived = err == nil && status >= http.StatusOK && status < http.StatusMultipleChoices
		err = w.settle(settling, hook, d, status, arrived)
	}
	if err != nil {
		// The lease ends by itself, and the message is sent once more under the same id.
		w.log.Warn("how a webhook's delivery went cannot be written down; it will be sent again", "webhook", hook.ID, "error", err)
	}
	return arrived
}

// attempt is a post in the trace of what the message tells of. The receiver's address is left out of it, for it may be a secret.
func (w *Webhooks) attempt(ctx context.Context, hook *models.Webhook, signer *webhooks.Webhook, d *webhookDelivery) (status int, err error) {
	ctx, span := tracing.Start(tracing.WithParent(ctx, d.Parent), "webhook", trace.SpanKindClient)
	defer span.End()
	status, err = w.post(ctx, hook.URL, signer, d)
	span.SetAttributes(attribute.Int64("belfry.webhook", hook.ID), attribute.Int("belfry.attempt", d.Attempts), attribute.Int("http.response.status_code", status))
	if err != nil || status >= http.StatusMultipleChoices {
		tracing.Fail(span, strconv.Itoa(status))
	}
	return status, err
}

// post sends a message. A status of 0 means that no answer came.
func (w *Webhooks) post(ctx context.Context, address string, signer *webhooks.Webhook, d *webhookDelivery) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(d.Body))
	if err != nil {
		return 0, err
	}
	at := d.NowMs.Time()
	signature, err := signer.Sign(d.MessageID, at, []byte(d.Body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Belfry")
	req.Header.Set(webhooks.HeaderWebhookID, d.MessageID)
	req.Header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(webhooks.HeaderWebhookSignature, signature)
	tracing.ToHeader(ctx, req.Header)
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, webhookBody) // what it says, if anything, is of no interest
	return resp.StatusCode, nil
}

// giveBack lets another node send what this one, which is told to stop, did not finish. The attempt does not count.
func (w *Webhooks) giveBack(ctx context.Context, d *webhookDelivery) error {
	return w.db.Write.WithContext(ctx).Exec("UPDATE webhook_deliveries SET leased_until = 0, attempts = attempts - 1 WHERE id = ? AND attempts = ?", d.ID, d.Attempts).Error
}

// settle writes down how an attempt went. The webhook's row is changed first, as where a webhook is deleted: else the two
// could each wait for the other.
func (w *Webhooks) settle(ctx context.Context, hook *models.Webhook, d *webhookDelivery, status int, arrived bool) error {
	set, args := "last_status = ?", []any{status}
	if status == 0 {
		set, args = "last_status = NULL", nil
	}
	now := w.db.moment()
	var after func(tx *gorm.DB) error
	w.attempts.inc(webhookOutcome(d, status, arrived))
	switch {
	case arrived:
		set += ", failing_since = NULL"
		after = func(tx *gorm.DB) error { return w.arrived(tx, hook, d) }
	case status == http.StatusGone:
		w.log.Warn("a webhook's receiver is gone for good; it is sent nothing any more", "webhook", hook.ID)
		set += ", disabled_at = " + now + ", failing_since = COALESCE(failing_since, " + now + ")"
		after = func(tx *gorm.DB) error {
			return tx.Exec("DELETE FROM webhook_deliveries WHERE webhook_id = ?", hook.ID).Error
		}
	default:
		set += ", failing_since = COALESCE(failing_since, " + now + ")"
		after = func(tx *gorm.DB) error { return w.failed(tx, hook, d) }
	}
	return w.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("UPDATE webhooks SET "+set+", last_delivery_at = "+now+" WHERE id = ?", append(args, hook.ID)...).Error; err != nil {
			return err
		}
		return after(tx)
	})
}

func webhookOutcome(d *webhookDelivery, status int, arrived bool) string {
	switch {
	case arrived:
		return webhookArrived
	case status == http.StatusGone:
		return webhookGone
	case d.Attempts > len(webhookWaits):
		return webhookGivenUp
	default:
		return webhookFailed
	}
}

// webhookAway is how many times as long as a receiver was away a message may still have to wait, and is then due at once when
// it is back. None that failed all that time has to wait longer than that; what fails alone, while others arrive, does soon.
const webhookAway = 8

// arrived removes the message. Where the receiver has been away, what waits for it is due at once.
func (w *Webhooks) arrived(tx *gorm.DB, hook *models.Webhook, d *webhookDelivery) error {
	if err := tx.Exec("DELETE FROM webhook_deliveries WHERE id = ?", d.ID).Error; err != nil || hook.FailingSince == nil {
		return err
	}
	now := w.db.moment()
	return tx.Exec("UPDATE webhook_deliveries SET due_at = "+now+" WHERE webhook_id = ? AND due_at > "+now+" AND due_at - "+now+" <= ? * ("+now+" - ?)",
		hook.ID, webhookAway, *hook.FailingSince).Error
}

// failed puts the message off, or gives it up. It does nothing where the lease ran out meanwhile and another attempt began.
func (w *Webhooks) failed(tx *gorm.DB, hook *models.Webhook, d *webhookDelivery) error {
	if d.Attempts > len(webhookWaits) {
		gone := tx.Exec("DELETE FROM webhook_deliveries WHERE id = ? AND attempts = ?", d.ID, d.Attempts)
		if gone.Error != nil || gone.RowsAffected == 0 {
			return gone.Error
		}
		w.log.Warn("a webhook's message is given up", "webhook", hook.ID, "message", d.MessageID)
		return tx.Exec("UPDATE webhooks SET given_up = given_up + 1 WHERE id = ?", hook.ID).Error
	}
	wait := jittered(webhookWaits[d.Attempts-1])
	late := tx.Exec("UPDATE webhook_deliveries SET leased_until = 0, due_at = "+w.db.moment()+" + ? WHERE id = ? AND attempts = ?", wait.Milliseconds(), d.ID, d.Attempts)
	if late.Error != nil || late.RowsAffected == 0 {
		return late.Error
	}
	// What waits for it is not due before it, or each look would go through all of that.
	return tx.Exec("UPDATE webhook_deliveries SET due_at = head.due_at FROM (SELECT * FROM webhook_deliveries WHERE id = ?) AS head"+
		" WHERE webhook_deliveries.webhook_id = head.webhook_id AND webhook_deliveries.session_id = head.session_id AND webhook_deliveries.id > head.id", d.ID).Error
}
