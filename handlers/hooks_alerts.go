package handlers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"belfry/middleware"
	"belfry/models"
)

// alertHook is what Alertmanager posts to a webhook receiver (its version 4), and Grafana with a few addresses more.
type alertHook struct {
	Alerts []json.RawMessage `json:"alerts"`
}

type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	GeneratorURL string            `json:"generatorURL"`
	DashboardURL string            `json:"dashboardURL"`
	PanelURL     string            `json:"panelURL"`
	Fingerprint  string            `json:"fingerprint"`
}

type hookInput struct {
	OnceInput
	Body map[string]any `doc:"As the sender makes it"`
}

// receiveAlerts publishes each alert. It has one row in an inbox from when it fires until it is resolved: its fingerprint is
// what collapses.
func (s *Server) receiveAlerts(ctx context.Context, in *hookInput) (*hookOutput, error) {
	var hook alertHook
	// Without the list it is somebody else's call: an answer of 200 would tell its sender that somebody was told.
	if err := readJSON(middleware.RawBody(ctx), &hook); err != nil || hook.Alerts == nil {
		return nil, models.InvalidField("alerts", "A list of alerts, as Alertmanager and Grafana send it.")
	}
	if len(hook.Alerts) > maxHookItems {
		return nil, errManyItems
	}
	things := make([][]byte, len(hook.Alerts))
	for i, raw := range hook.Alerts {
		things[i] = raw
	}
	// Neither sender names its calls. The very same alert within moments is one that it was not sure of having sent; later
	// it is one that it wants to remind of.
	names, err := in.onceEach(ctx, "POST /hooks of alerts", things, func(i int) string {
		sum := sha256.Sum256(things[i])
		return hex.EncodeToString(sum[:])
	})
	if err != nil {
		return nil, err
	}
	items := make([]hookItem, len(things))
	for i, raw := range things {
		items[i].once, items[i].preset = names[i], "alerts"
		items[i].once.Brief = in.IdempotencyKey == ""
		if items[i].content, err = readAlert(raw); err != nil {
			items[i].err = models.InvalidField(fmt.Sprintf("alerts[%d]", i), "An alert, as Alertmanager and Grafana send it: an object whose labels and annotations are text.")
		}
	}
	return s.publishHook(ctx, items)
}

var errNoAlert = errors.New("no alert")

func readAlert(raw []byte) (models.NoticeContent, error) {
	var a *alert // null is none
	if err := json.Unmarshal(raw, &a); err != nil {
		return models.NoticeContent{}, err
	}
	if a == nil {
		return models.NoticeContent{}, errNoAlert
	}
	return a.content()
}

func (a *alert) content() (models.NoticeContent, error) {
	title := cmp.Or(a.Annotations["summary"], a.Annotations["title"], a.Labels["alertname"], "Alert")
	c := models.NoticeContent{Title: shortened(title, models.MaxTitle), Body: cutTo(cmp.Or(a.Annotations["description"], a.Annotations["message"]), models.MaxBody),
		Severity: a.severity()}
	if a.Fingerprint != "" {
		c.CollapseKey = new(collapseKey("alert:" + a.Fingerprint))
	}
	for _, address := range []string{a.PanelURL, a.DashboardURL, a.GeneratorURL} {
		if c.URL = link(address); c.URL != nil {
			break
		}
	}
	var err error
	c.Data, err = json.Marshal(map[string]any{"status": a.Status, "labels": a.Labels})
	return c, err
}

// severity: an alert that says nothing of it warns, for somebody wanted to be told.
func (a *alert) severity() string {
	if a.Status == "resolved" {
		return "success"
	}
	switch strings.ToLower(a.Labels["severity"]) {
	case "critical", "page", "error", "emergency", "fatal":
		return "critical"
	case "info", "information", "none", "debug":
		return "info"
	}
	return "warning"
}
