package services

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Webhooks tells other systems of sessions by HTTP, signed as in Standard Webhooks (https://www.standardwebhooks.com).
type Webhooks struct {
	db     *Database
	vault  *Vault
	client *http.Client
	log    *slog.Logger

	lanes *lanes[int64] // by webhook

	attempts counters // by how they went
}

// How an attempt at a webhook went.
const (
	webhookArrived = "arrived"
	webhookGone    = "gone" // the receiver, for good
	webhookFailed  = "failed"
	webhookGivenUp = "given_up" // as failed, and it was the last
)

// NewWebhooks makes the service.
func NewWebhooks(db *Database, j *journal.Journal, v *Vault, log *slog.Logger) *Webhooks {
	w := &Webhooks{db: db, vault: v, client: webhookClient(), log: log, lanes: newLanes[int64]("webhooks", log),
		attempts: newCounters(webhookArrived, webhookGone, webhookFailed, webhookGivenUp)}
	j.Observe(func(e *journal.Entry) {
		if e.Kind == kindLock && w.lanes.some.Load() {
			w.lanes.nudge()
		}
	}, w.lanes.nudge)
	return w
}

// NewWebhook is a webhook with its secret.
type NewWebhook struct {
	models.Webhook
	Secret   string
	Replayed bool
}

const webhookSecretBytes = 32 // Standard Webhooks asks for 24 to 64

// Create adds a webhook and gives the secret its messages are signed with, which is not shown again. No events are all.
func (w *Webhooks) Create(ctx context.Context, address string, events []models.WebhookEvent, once Repeatable) (NewWebhook, error) {
	list, err := checkWebhook(address, events)
	if err != nil {
		return NewWebhook{}, err
	}
	raw := make([]byte, webhookSecretBytes)
	_, _ = rand.Read(raw) // never fails: it would end the program
	sealed := w.vault.Seal(webhookPurpose(address), []byte("whsec_"+base64.StdEncoding.EncodeToString(raw)))
	id, replayed, err := w.db.createOnce(ctx, once, func(tx *gorm.DB) (id int64, err error) {
		err = tx.Raw("INSERT INTO webhooks (url, events, secret, created_at) SELECT ?, ?, ?, "+w.db.now()+
			" WHERE (SELECT count(*) FROM webhooks) < ? RETURNING id", address, list, sealed, models.MaxWebhooks).Scan(&id).Error
		if err == nil && id == 0 {
			err = models.Errorf(models.CodeConflict, "There are as many webhooks as there can be.")
		}
		if err != nil {
			return 0, err
		}
		return id, w.db.record(tx, Act{Action: "webhook.added", Detail: map[string]any{"webhook": id, "host": hostOf(address)}})
	})
	if err != nil {
		return NewWebhook{}, err
	}
	var row models.Webhook
	if err := w.db.Write.WithContext(ctx).Take(&row, id).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = errGoneAgain
		}
		return NewWebhook{}, err
	}
	secret, err := w.vault.Open(webhookPurpose(row.URL), row.Secret)
	if err != nil {
		return NewWebhook{}, err
	}
	w.lanes.some.Store(true)
	return NewWebhook{Webhook: row, Secret: string(secret), Replayed: replayed}, nil
}

// webhookPurpose binds a secret to where it is used: a row whose address was changed past us signs nothing any more.
func webhookPurpose(address string) string { return "webhook " + address }

func checkWebhook(address string, events []models.WebhookEvent) (list string, err error) {
	var faults []models.FieldError
	if !validWebhookURL(address) {
		faults = append(faults, models.FieldError{Field: "url", Detail: "http:// or https:// and a host, without a user or a fragment; at most 2,000 bytes."})
	}
	var names []string
	for _, event := range models.WebhookEvents { // in one order, each once
		if len(events) == 0 || slices.Contains(events, event) {
			names = append(names, string(event))
		}
	}
	for _, event := range events {
		if !slices.Contains(models.WebhookEvents, event) {
			faults = append(faults, models.FieldError{Field: "events", Detail: "Each one of session.started, session.locked, session.unlocked, session.ended."})
			break
		}
	}
	return strings.Join(names, " "), refuse(faults)
}

// validWebhookURL lets admins name hosts of their own network: those are what webhooks are for.
func validWebhookURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && len(address) <= models.MaxWebhookURL && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User == nil && u.Fragment == "" && !strings.HasSuffix(address, "#")
}

// hostOf is what the record may hold of an address: its path and query may be secrets of the receiver's.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// List gives the webhooks, oldest first.
func (w *Webhooks) List(ctx context.Context) (hooks []models.Webhook, err error) {
	err = w.db.Write.WithContext(ctx).Order("id").Find(&hooks).Error
	return hooks, err
}

// Delete removes a webhook, and what was still to be sent to it.
func (w *Webhooks) Delete(ctx context.Context, id int64) error {
	return w.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var address string
		if err := tx.Raw("DELETE FROM webhooks WHERE id = ? RETURNING url", id).Scan(&address).Error; err != nil {
			return err
		}
		if address == "" {
			return models.ErrNotFound
		}
		return w.db.record(tx, Act{Action: "webhook.removed", Detail: map[string]any{"webhook": id, "host": hostOf(address)}})
	})
}
