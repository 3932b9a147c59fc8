package handlers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// gotifyPath is where senders of Gotify publish (its API, POST /message). An API key is the application's token, and its
// recipients are the application's user.
const gotifyPath = "/message"

// gotifyMessage is what they send, and with the rest what they are answered.
type gotifyMessage struct {
	ID       int64          `json:"id"`
	AppID    int64          `json:"appid"`
	Message  string         `json:"message"`
	Title    string         `json:"title"`
	Priority int            `json:"priority"`
	Extras   map[string]any `json:"extras,omitempty"`
	Date     time.Time      `json:"date"`
}

type gotifyError struct {
	Error       string `json:"error"`
	Code        int    `json:"errorCode"`
	Description string `json:"errorDescription"`
}

func (s *Server) gotify(c *gin.Context) {
	message, err := s.publishGotify(c)
	if err != nil {
		status, words := s.refusal(c, err)
		c.JSON(status, gotifyError{http.StatusText(status), status, words})
		return
	}
	c.JSON(http.StatusOK, message)
}

func (s *Server) publishGotify(c *gin.Context) (*gotifyMessage, error) {
	switch {
	case middleware.CredentialInQuery(c):
		return nil, errGotifyQuery
	case c.Request.Method != http.MethodPost:
		return nil, errOnlyPOST
	}
	key, err := s.asKey(c, cmp.Or(c.GetHeader("X-Gotify-Key"), token(c)))
	if err != nil {
		return nil, err
	}
	raw, err := peerBody(c)
	if err != nil {
		return nil, err
	}
	message, err := readGotify(raw, c.ContentType(), c.GetHeader("Content-Type"))
	if err != nil {
		return nil, err
	}
	if message.Title == "" {
		message.Title = key.Name
	}
	to, err := key.Target()
	if err == nil && to.Empty() {
		err = errKeyTarget
	}
	if err != nil {
		return nil, err
	}
	content, err := message.content()
	if err != nil {
		return nil, err
	}
	if key.Category == "" { // so that people can mute one application, as Gotify's can
		content.Category = new(shortened(key.Name, models.MaxCategory))
	}
	published, err := s.publishForPeer(c, key, services.Outgoing{To: to, Content: content})
	if err != nil {
		return nil, err
	}
	message.ID, message.AppID, message.Date = published.ID, key.ID, time.Now().UTC()
	return message, nil
}

// readGotify reads JSON, or one of the two kinds of form.
func readGotify(raw []byte, media, contentType string) (*gotifyMessage, error) {
	var m gotifyMessage
	var form url.Values
	var err error
	switch media {
	case "application/x-www-form-urlencoded":
		form, err = url.ParseQuery(string(raw))
	case "multipart/form-data":
		form, err = multipartValues(raw, contentType)
	default:
		if err := readJSON(raw, &m); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, &models.Error{Code: models.CodeUnreadable, Detail: "The body is not the form that its Content-Type says.", Err: err}
	}
	if form != nil {
		m.Message, m.Title = form.Get("message"), form.Get("title")
		if text := form.Get("priority"); text != "" {
			if m.Priority, err = strconv.Atoi(text); err != nil {
				return nil, models.InvalidField("priority", "A number.")
			}
		}
	}
	if m.Message == "" {
		return nil, models.InvalidField("message", "Needed.")
	}
	return &m, nil
}

// content maps what Gotify's apps show on a notice. Of the extras those of the display and of a click are understood; all
// of them stay in data.
func (m *gotifyMessage) content() (models.NoticeContent, error) {
	c := models.NoticeContent{Title: shortened(m.Title, models.MaxTitle), Body: m.Message, Severity: severityOf(m.Priority, 6, 8)}
	if display, ok := m.Extras["client::display"].(map[string]any); ok && display["contentType"] == "text/markdown" {
		c.Format = "markdown"
	}
	if note, ok := m.Extras["client::notification"].(map[string]any); ok {
		if click, ok := note["click"].(map[string]any); ok {
			if address, ok := click["url"].(string); ok {
				c.URL = link(address)
			}
		}
	}
	data := map[string]any{"priority": m.Priority}
	if len(m.Extras) > 0 {
		data["extras"] = m.Extras
	}
	var err error
	c.Data, err = json.Marshal(data)
	return c, err
}

// severityOf maps a priority by where the warnings and where the critical ones begin.
func severityOf(priority, warning, critical int) string {
	switch {
	case priority >= critical:
		return "critical"
	case priority >= warning:
		return "warning"
	}
	return "info"
}

// multipartValues are the fields of a form; a file in it is refused by its size, or has no name that we know.
func multipartValues(raw []byte, contentType string) (url.Values, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, err
	}
	form, err := multipart.NewReader(bytes.NewReader(raw), params["boundary"]).ReadForm(middleware.MaxBody)
	if err != nil {
		return nil, err
	}
	values := url.Values{}
	for name, list := range form.Value {
		values[strings.ToLower(name)] = list
	}
	return values, form.RemoveAll()
}
