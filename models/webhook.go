package models

import "strings"

// WebhookEvent is a change of a session that other systems can be told of.
type WebhookEvent string

// The events.
const (
	WebhookStarted  WebhookEvent = "session.started"
	WebhookLocked   WebhookEvent = "session.locked"
	WebhookUnlocked WebhookEvent = "session.unlocked"
	WebhookEnded    WebhookEvent = "session.ended"
)

// WebhookEvents lists every event there is.
var WebhookEvents = []WebhookEvent{WebhookStarted, WebhookLocked, WebhookUnlocked, WebhookEnded}

// Limits of webhooks.
const (
	MaxWebhooks   = 50
	MaxWebhookURL = 2000 // bytes
)

// Webhook is another system that is told of sessions by HTTP.
type Webhook struct {
	ID             int64 `gorm:"primaryKey"`
	URL            string
	EventList      string `gorm:"column:events"` // separated by single spaces
	Secret         string // sealed
	CreatedAt      Instant
	DisabledAt     *Instant // the receiver said that it is gone
	LastDeliveryAt *Instant // the last attempt
	LastStatus     *int     // of its answer; nil = none came
	FailingSince   *Instant // the first of the attempts that failed and were followed by none that did not
	GivenUp        int64    // messages that were tried until the last time
}

// Events splits the stored list.
func (w *Webhook) Events() []WebhookEvent {
	fields := strings.Fields(w.EventList)
	events := make([]WebhookEvent, len(fields))
	for i, f := range fields {
		events[i] = WebhookEvent(f)
	}
	return events
}
