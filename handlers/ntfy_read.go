package handlers

import (
	"encoding/json"
	"mime"
	"strings"

	"github.com/gin-gonic/gin"

	"belfry/models"
)

// readNtfy reads a message: JSON at the root, else text with headers. What has no meaning here, an icon or an attachment, is
// passed over.
func readNtfy(c *gin.Context, raw []byte) (*ntfyMessage, error) {
	m := &ntfyMessage{Topic: strings.Trim(c.Request.URL.Path, "/")}
	if m.Topic == "" {
		if err := readJSON(raw, m); err != nil {
			return nil, err
		}
		if m.Priority < 0 || m.Priority > 5 {
			return nil, errPriority
		}
	} else if err := m.readHeaders(c, string(raw)); err != nil {
		return nil, err
	}
	if strings.TrimSpace(m.Message) == "" {
		m.Message = "triggered" // as ntfy says
	}
	if len(m.Actions) > 0 && string(m.Actions) != "null" {
		var actions []ntfyAction
		if err := json.Unmarshal(m.Actions, &actions); err != nil {
			return nil, errActions
		}
		m.setButtons(actions)
	}
	return m, nil
}

func (m *ntfyMessage) readHeaders(c *gin.Context, body string) (err error) {
	m.Message = strings.TrimSuffix(body, "\n")
	if given := field(c, "x-message", "message", "m"); given != "" {
		m.Message = strings.ReplaceAll(given, `\n`, "\n")
	}
	m.Title = field(c, "x-title", "title", "ti", "t")
	m.Click = field(c, "x-click", "click")
	m.Delay = field(c, "x-delay", "delay", "x-at", "at", "x-in", "in")
	for tag := range strings.SplitSeq(field(c, "x-tags", "tags", "tag", "ta"), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			m.Tags = append(m.Tags, tag)
		}
	}
	switch strings.ToLower(field(c, "x-markdown", "markdown", "md")) {
	case "1", "yes", "true":
		m.Markdown = true
	}
	m.Markdown = m.Markdown || c.ContentType() == "text/markdown"
	if m.Priority, err = priorityOf(field(c, "x-priority", "priority", "prio", "p")); err != nil {
		return err
	}
	if actions := strings.TrimSpace(field(c, "x-actions", "actions", "action")); strings.HasPrefix(actions, "[") {
		m.Actions = json.RawMessage(actions)
	} else if actions != "" {
		return m.readShortActions(actions)
	}
	return nil
}

// field is the first of these that is there, among the headers and then in the query, of which none is a credential. A header
// may be encoded as in mail (RFC 2047), for many senders can only send ASCII.
func field(c *gin.Context, names ...string) string {
	query := map[string]string{}
	for name, values := range c.Request.URL.Query() {
		query[strings.ToLower(name)] = values[0]
	}
	for _, name := range names {
		if value := c.GetHeader(name); value != "" {
			if decoded, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
				value = decoded
			}
			return strings.TrimSpace(strings.ToValidUTF8(value, "�"))
		}
	}
	for _, name := range names {
		if query[name] != "" {
			return strings.TrimSpace(query[name])
		}
	}
	return ""
}

// ntfyAction is a button. Of the kinds there are, view is one of ours; what calls an address or an app from the phone is not.
type ntfyAction struct {
	Action string `json:"action"`
	Label  string `json:"label"`
	URL    string `json:"url"`
}

func (m *ntfyMessage) setButtons(actions []ntfyAction) {
	for _, a := range actions {
		if address := link(a.URL); a.Action == "view" && address != nil && a.Label != "" && len(m.buttons) < models.MaxActions {
			m.buttons = append(m.buttons, models.Action{Label: shortened(a.Label, models.MaxActionLabel), URL: *address})
		}
	}
}

// readShortActions reads "view, LABEL, ADDRESS, more=…; …", where each part may be quoted or named.
func (m *ntfyMessage) readShortActions(text string) error {
	var actions []ntfyAction
	for _, part := range splitQuoted(text, ';') {
		var a ntfyAction
		places := []*string{&a.Action, &a.Label, &a.URL}
		for i, value := range splitQuoted(part, ',') {
			name, named, found := strings.Cut(value, "=")
			into := map[string]*string{"action": &a.Action, "label": &a.Label, "url": &a.URL}[strings.TrimSpace(name)]
			switch {
			case found && into != nil:
				*into = unquoted(named)
			case i < len(places):
				*places[i] = unquoted(value)
			}
		}
		if a.Action == "" || a.Label == "" {
			return errActions
		}
		actions = append(actions, a)
	}
	m.setButtons(actions)
	return nil
}

// splitQuoted cuts at a separator that stands outside of quotes; what is empty is left out.
func splitQuoted(text string, separator rune) (parts []string) {
	var quote rune
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		}
		return quote == 0 && r == separator
	}) {
		if strings.TrimSpace(part) != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func unquoted(text string) string {
	text = strings.TrimSpace(text)
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		return text[1 : n-1]
	}
	return text
}
