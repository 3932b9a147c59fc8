package services

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/tracing"
)

// sessionEvent is a change of a session that other systems may have to follow.
type sessionEvent struct {
	Event   models.WebhookEvent
	Session string
	UserID  int64
	State   models.SessionState
	Reason  *models.Reason
	At      models.Instant
}

// webhookMessage is what is sent. The last two members of data are named as in CAEP 1.0 §2.
type webhookMessage struct {
	Type      models.WebhookEvent `json:"type"`
	Timestamp models.Instant      `json:"timestamp"`
	Data      webhookData         `json:"data"`
}

type webhookData struct {
	Session          string              `json:"session"`
	User             string              `json:"user"`
	State            models.SessionState `json:"state"`
	Reason           *models.Reason      `json:"reason"`
	EventTimestamp   int64               `json:"event_timestamp"` // s since 1970 UTC
	InitiatingEntity string              `json:"initiating_entity"`
}

// lastOfSession is when the last message of a session is due. With the plus it is found by the session: else SQLite looks for
// the greatest of all in the order of their times, and goes through what waits for the webhook with each message.
const lastOfSession = "SELECT max(+due_at) FROM webhook_deliveries WHERE webhook_id = ? AND session_id = ?"

// outboxAtOnce bounds the rows of one INSERT, and the names of one query.
const outboxAtOnce = 500

// tellWebhooks writes down what is to be sent, within the transaction that changes the sessions: what is rolled back is
// not sent, and what is committed is. It looks at the table itself, and not at something remembered, so that a webhook
// counts on every node from the moment it is there.
func (d *Database) tellWebhooks(tx *gorm.DB, events ...sessionEvent) error {
	if len(events) == 0 {
		return nil
	}
	query := "SELECT id, events FROM webhooks WHERE disabled_at IS NULL ORDER BY id"
	if d.Dialect == Postgres {
		query += " FOR KEY SHARE" // a webhook that is deleted meanwhile would fail the insert, and the change with it
	}
	var hooks []models.Webhook
	if err := tx.Raw(query).Scan(&hooks).Error; err != nil || len(hooks) == 0 {
		return err
	}
	for batch := range slices.Chunk(events, outboxAtOnce) {
		if err := d.fillOutbox(tx, hooks, batch); err != nil {
			return err
		}
	}
	return nil
}

func (d *Database) fillOutbox(tx *gorm.DB, hooks []models.Webhook, events []sessionEvent) error {
	names, err := usernames(tx, events)
	if err != nil {
		return err
	}
	by, parent := actorOf(tx.Statement.Context), tracing.Parent(tx.Statement.Context)
	var rows []string
	var args []any
	insert := func() error {
		if len(rows) == 0 {
			return nil
		}
		err := tx.Exec("INSERT INTO webhook_deliveries (webhook_id, session_id, message_id, body, traceparent, due_at) VALUES "+strings.Join(rows, ", "), args...).Error
		rows, args = nil, nil
		return err
	}
	for _, e := range events {
		body, err := json.Marshal(webhookMessage{Type: e.Event, Timestamp: e.At, Data: webhookData{
			Session: e.Session, User: names[e.UserID], State: e.State, Reason: e.Reason,
			EventTimestamp: int64(e.At) / time.Second.Milliseconds(), InitiatingEntity: initiator(by, names[e.UserID], &e)}})
		if err != nil {
			return err
		}
		message := "msg_" + randomText(16)
		for i := range hooks {
			if !slices.Contains(hooks[i].Events(), e.Event) {
				continue
			}
			// Behind one of the same session that was put off it is not due before that, see failed.
			rows = append(rows, "(?, ?, ?, ?, ?, COALESCE(("+lastOfSession+"), "+d.now()+"))")
			args = append(args, hooks[i].ID, e.Session, message, string(body), parent, hooks[i].ID, e.Session)
			if len(rows) == outboxAtOnce {
				if err := insert(); err != nil {
					return err
				}
			}
		}
	}
	return insert()
}

func usernames(tx *gorm.DB, events []sessionEvent) (map[int64]string, error) {
	ids := make([]int64, len(events))
	for i := range events {
		ids[i] = events[i].UserID
	}
	var users []models.User
	err := tx.Select("id", "username").Find(&users, ids).Error
	names := make(map[int64]string, len(users))
	for i := range users {
		names[users[i].ID] = users[i].Username
	}
	return names, err
}

// initiator says who brought a change about, in the words of CAEP 1.0 §2.
func initiator(by Actor, user string, e *sessionEvent) string {
	if e.Event == models.WebhookStarted || e.Event == models.WebhookUnlocked {
		return "user" // who proved it, whoever the browser was before
	}
	if e.Reason != nil {
		switch *e.Reason {
		case models.ReasonIdle, models.ReasonMaxAge, models.ReasonTooManyAttempts:
			return "policy" // whoever's request found it out
		}
	}
	switch by.Type {
	case ActorKey, ActorProvider, ActorSystem:
		return "system"
	case ActorCommand:
		return "admin"
	case ActorUser:
		if !strings.EqualFold(by.Name, user) {
			return "admin"
		}
	}
	return "user"
}
