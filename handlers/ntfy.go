package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// ntfyMessage is what senders of ntfy say, by headers or as JSON (ntfy's documentation, "Publishing").
type ntfyMessage struct {
	Topic    string          `json:"topic"`
	Message  string          `json:"message"`
	Title    string          `json:"title"`
	Priority int             `json:"priority"`
	Tags     []string        `json:"tags"`
	Click    string          `json:"click"`
	Actions  json.RawMessage `json:"actions"`
	Markdown bool            `json:"markdown"`
	Delay    string          `json:"delay"`

	buttons []models.Action
}

// ntfyEvent is what they are answered.
type ntfyEvent struct {
	ID       string   `json:"id"`
	Time     int64    `json:"time"` // s since 1970 UTC
	Event    string   `json:"event"`
	Topic    string   `json:"topic"`
	Title    string   `json:"title,omitempty"`
	Message  string   `json:"message"`
	Priority int      `json:"priority,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Click    string   `json:"click,omitempty"`
}

// ntfyError has a code of five digits, of which the first three are the status.
type ntfyError struct {
	Code  int    `json:"code"`
	HTTP  int    `json:"http"`
	Error string `json:"error"`
}

// notTopics are the names that are addresses of ours, or look like one. A group may have such a name; who wants to write to
// it as a topic has to rename it.
var notTopics = []string{"admin", "api", "assets", "audit", "belfry.js", "compose", "debug", "devices", "docs", "everyone", "hooks", "icons", "inbox", "index.html", "livez",
	"manifest.webmanifest", "message", "metrics", "offline.css", "offline.js", "readyz", "reset", "sent", "settings", "signed-in", "sse", "sw.js", "tasks", "users"}

var (
	errTopic    = models.Errorf(models.CodeInvalid, "This is no topic: a topic is the name of a group, and neither everyone nor an address of this server.")
	errNoSuch   = models.Errorf(models.CodeNotFound, "There is nothing to subscribe to here: only publishing is understood.")
	errPriority = models.InvalidField("priority", "1 to 5, or min, low, default, high, max or urgent.")
)

// isNtfy reports whether a request is for ntfy: what publishes, what would publish by GET, and what would subscribe. The last
// two are refused, where the page would say 200 to them.
func isNtfy(method, path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] == "api" || parts[0] == "sse" {
		return false
	}
	switch method {
	case http.MethodPost, http.MethodPut:
		return len(parts) == 1
	case http.MethodGet, http.MethodHead:
		return len(parts) == 2 && !slices.Contains(notTopics, parts[0]) && slices.Contains([]string{"publish", "send", "trigger", "json", "sse", "raw", "ws", "auth"}, parts[1])
	}
	return false
}

func (s *Server) ntfy(c *gin.Context) {
	event, err := s.publishNtfy(c)
	if err != nil {
		status, words := s.refusal(c, err)
		c.JSON(status, ntfyError{status*100 + 1, status, words})
		return
	}
	c.JSON(http.StatusOK, event)
}

func (s *Server) publishNtfy(c *gin.Context) (*ntfyEvent, error) {
	if err := ntfyRefuses(c); err != nil {
		return nil, err
	}
	key, err := s.asKey(c, token(c))
	if err != nil {
		return nil, err
	}
	raw, err := peerBody(c)
	if err != nil {
		return nil, err
	}
	message, err := readNtfy(c, raw)
	if err != nil {
		return nil, err
	}
	if !models.ValidName(message.Topic) || slices.Contains(notTopics, strings.ToLower(message.Topic)) {
		return nil, errTopic
	}
	out, err := message.outgoing()
	if err != nil {
		return nil, err
	}
	published, err := s.publishForPeer(c, key, out)
	if err != nil {
		return nil, err
	}
	at := time.Now()
	if out.DeliverAt != nil {
		at = out.DeliverAt.Time()
	}
	return &ntfyEvent{ID: strconv.FormatInt(published.ID, 10), Time: at.Add(out.Delay).Unix(), Event: "message", Topic: message.Topic, Title: message.Title,
		Message: message.Message, Priority: message.Priority, Tags: message.Tags, Click: message.Click}, nil
}

// ntfyRefuses is about what no sender of ours may do, whatever it sends.
func ntfyRefuses(c *gin.Context) error {
	switch {
	case c.Request.URL.Query().Has("auth"), middleware.CredentialInQuery(c):
		return errNtfyQuery
	case c.Request.Method == http.MethodPost || c.Request.Method == http.MethodPut:
		return nil
	}
	switch _, verb, _ := strings.Cut(strings.Trim(c.Request.URL.Path, "/"), "/"); verb {
	case "publish", "send", "trigger":
		return errOnlyPOST
	}
	return errNoSuch
}

// outgoing makes a notice to the topic's group. Priorities 1 to 3 are information, 3 the default; 4 and 5 make themselves heard.
func (m *ntfyMessage) outgoing() (services.Outgoing, error) {
	content := models.NoticeContent{Body: m.Message, Title: shortened(m.Title, models.MaxTitle), Severity: severityOf(m.Priority, 4, 5),
		Category: &m.Topic, Actions: m.buttons, URL: link(m.Click)}
	if m.Title == "" { // ntfy would show the topic, which stands beside it here
		content.Title, content.Body = headline(m.Message)
	}
	if m.Markdown {
		content.Format = "markdown"
	}
	out := services.Outgoing{To: services.Target{Groups: []string{m.Topic}}}
	var err error
	if out.DeliverAt, out.Delay, err = delayOf(m.Delay); err != nil {
		return out, err
	}
	if len(m.Tags) > 0 {
		content.Data, err = json.Marshal(map[string]any{"tags": m.Tags})
	}
	out.Content = content
	return out, err
}

// headline makes a title of the first line of a message.
func headline(message string) (title, body string) {
	first, rest, _ := strings.Cut(strings.TrimSpace(message), "\n")
	first = strings.TrimSpace(first)
	if title = shortened(first, models.MaxTitle); title != first {
		return title, message
	}
	return title, strings.TrimSpace(rest)
}

// delayOf reads a time in s since 1970 UTC, or how long from now, as in 30m, 3h, 2 days. The words of English that ntfy also
// takes are refused: ten in the morning is another moment in each time zone, and a sender does not know ours.
func delayOf(text string) (*models.Instant, time.Duration, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return nil, 0, nil
	}
	rest := strings.TrimLeft(text, "0123456789")
	number, err := strconv.ParseInt(text[:len(text)-len(rest)], 10, 40)
	if err != nil {
		return nil, 0, errDelay
	}
	if rest == "" {
		at := models.InstantOf(time.Unix(number, 0))
		return &at, 0, nil
	}
	unit, known := delayUnits[strings.TrimSpace(rest)]
	if !known || time.Duration(number) > maxDelay/unit {
		return nil, 0, errDelay
	}
	return nil, time.Duration(number) * unit, nil
}

// maxDelay is how far ahead a delay can be read; how far is let through services.Notices says.
const maxDelay = 366 * 24 * time.Hour

var errDelay = models.InvalidField("delay", "Seconds since 1970 UTC, or a time from now of at most a year, as in 30m, 3h or 2 days; no words and no clock times.")

var delayUnits = units(map[time.Duration]string{
	time.Second: "s sec secs second seconds", time.Minute: "m min mins minute minutes", time.Hour: "h hour hours", 24 * time.Hour: "d day days",
})

func units(words map[time.Duration]string) map[string]time.Duration {
	all := map[string]time.Duration{}
	for unit, names := range words {
		for name := range strings.FieldsSeq(names) {
			all[name] = unit
		}
	}
	return all
}

func priorityOf(text string) (int, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" || strings.HasPrefix(text, "u=") || text == "i" { // RFC 9218 has a header of the same name, which browsers send
		return 0, nil
	}
	if n, known := map[string]int{"min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5}[text]; known {
		return n, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 5 {
		return 0, errPriority
	}
	return n, nil
}

var errActions = models.InvalidField("actions", fmt.Sprintf("JSON, or KIND, LABEL, ADDRESS with semicolons between; at most %d.", models.MaxActions))
