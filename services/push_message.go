package services

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/SherClockHolmes/webpush-go"

	"belfry/models"
)

// pushLife is how long a push service keeps a notice that does not expire for a browser that is off.
const pushLife = 24 * time.Hour

// pushMost is what fits into one push: a record of 4,096 bytes (RFC 8291 §4) less its header of 86, the cipher's tag of 16
// and the delimiter.
const pushMost = 4096 - 86 - 16 - 1

// pushTopic is how long a Topic may be (RFC 8030 §5.4).
const pushTopic = 32

// pushMessage is what a browser is told. While the session is locked it is the type alone.
type pushMessage struct {
	Type string `json:"type"` // notice or waiting
	*pushContent
}

type pushContent struct {
	ID       int64   `json:"id"`
	Title    string  `json:"title"`
	Body     string  `json:"body"` // its first line
	Severity string  `json:"severity"`
	URL      *string `json:"url"`
	Unread   int64   `json:"unread"`
}

// push is a message on its way to a push service.
type push struct {
	payload []byte
	topic   string // a later push of the same topic takes the place of one that still waits there
	urgency webpush.Urgency
	until   models.Instant // nobody wants it any more
}

// pushOf makes the message of a notice that is news since a moment: its publishing, or the end of its snooze. secret keeps the push service from trying out which collapse key a topic is of.
func pushOf(n *NoticeView, since models.Instant, actor string, unread int64, locked bool, secret string) (push, error) {
	m := push{topic: pushTopicOf(n, actor, secret), urgency: webpush.UrgencyNormal, until: since + models.Instant(pushLife.Milliseconds())}
	if n.Severity == "critical" {
		m.urgency = webpush.UrgencyHigh
	}
	if n.ExpiresAt != nil {
		m.until = min(m.until, *n.ExpiresAt)
	}
	if locked {
		m.topic, m.payload = "waiting", []byte(`{"type":"waiting"}`)
		return m, nil
	}
	content := pushContent{ID: n.ID, Title: n.Title, Body: firstLine(n.Body), Severity: n.Severity, URL: n.URL, Unread: unread}
	var err error
	m.payload, err = content.fitting()
	return m, err
}

// fitting encodes the message, with as much of the body as there is room for, and without an address that leaves none.
func (c pushContent) fitting() ([]byte, error) {
	const widest = len(`\u0001`) // a byte may take as many in JSON
	c.Body = cut(c.Body, min(len(c.Body), pushMost))
	for {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false) // it would take six bytes for one
		if err := encoder.Encode(pushMessage{Type: "notice", pushContent: &c}); err != nil {
			return nil, err
		}
		payload := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
		over := len(payload) - pushMost
		if over <= 0 {
			return payload, nil
		}
		if c.Body == "" { // an address of quotation marks alone takes twice its length, and there is nothing else to cut
			c.URL = nil
		}
		c.Body = cut(c.Body, max(0, len(c.Body)-max(1, over/widest)))
	}
}

// cut gives at most n bytes of a text, and no part of a character.
func cut(text string, n int) string {
	for n > 0 && n < len(text) && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// firstLine is the first one that says something.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n"), "\n")
	return strings.TrimRight(line, " \t\r")
}

// pushTopicOf is the same for notices that take each other's place, and else the notice's own, so that one that is sent a
// second time is shown once.
func pushTopicOf(n *NoticeView, actor, secret string) string {
	if n.CollapseKey == nil || *n.CollapseKey == "" {
		return "notice-" + strconv.FormatInt(n.ID, 10)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(actor + "\x00" + *n.CollapseKey))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))[:pushTopic]
}
