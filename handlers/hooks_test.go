package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"belfry/models"
	"belfry/services"
)

// hook is a call of Alertmanager's about one alert.
func hook(status, severity, description string) map[string]any {
	return map[string]any{
		"version": "4", "groupKey": `{}:{alertname="DiskFull"}`, "truncatedAlerts": 0, "status": status, "receiver": "belfry",
		"groupLabels": map[string]any{"alertname": "DiskFull"}, "externalURL": "http://alertmanager.example",
		"alerts": []any{map[string]any{
			"status": status, "labels": map[string]any{"alertname": "DiskFull", "severity": severity, "instance": "db-1"},
			"annotations": map[string]any{"summary": "Disk of db-1", "description": description},
			"startsAt":    "2026-11-22T05:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.example/graph?g0.expr=x", "fingerprint": "c0ffee5eed",
		}},
	}
}

// TestAlertIsOneRow: it fires, worsens and is resolved, by the API and in the inbox; what was read of it is news again.
func TestAlertIsOneRow(t *testing.T) {
	onEach(t, nil, func(s *site) {
		key, anna := s.bearer(s.peerKey()), s.login("anna")
		for i, step := range []struct{ status, severity, body, becomes string }{
			{"firing", "warning", "91 % full", "warning"},
			{"firing", "critical", "99 % full", "critical"},
			{"resolved", "critical", "60 % full", "success"},
		} {
			route := []string{"alertmanager", "grafana"}[i%2]
			made := key.post("/api/v1/hooks/"+route, hook(step.status, step.severity, step.body)).want(200)
			r := anna.get("/api/v1/notices").want(200)
			items := r.items()
			if len(items) != 1 || r.int("unread") != 1 {
				s.Fatalf("step %d: %s", i, r.body)
			}
			is(s, step.body, items[0], map[string]any{"title": "Disk of db-1", "body": step.body, "severity": step.becomes, "category": "alerts", "collapse_key": "alert:c0ffee5eed",
				"url": "http://prometheus.example/graph?g0.expr=x", "read_at": nil})
			id := int64(made.at("notices").([]any)[0].(map[string]any)["id"].(float64))
			if float64(id) != items[0]["id"] {
				s.Errorf("step %d: %s", i, made.body)
			}
			anna.do("PATCH", fmt.Sprintf("/api/v1/notices/%d", id), map[string]any{"read": true}).want(200)
		}
		if all := anna.get("/api/v1/notices?state=all").want(200).items(); len(all) != 3 {
			s.Errorf("%d in all", len(all))
		}
	})
}

// TestAlertsMixed: several at once are several rows; what a sender gets wrong publishes nothing.
func TestAlertsMixed(t *testing.T) {
	onEach(t, nil, func(s *site) {
		key, anna := s.bearer(s.peerKey()), s.login("anna")
		key.post("/api/v1/hooks/grafana", map[string]any{"title": "[FIRING:3]", "state": "alerting", "alerts": []any{
			map[string]any{"status": "firing", "labels": map[string]any{"alertname": "A"}, "fingerprint": "1", "panelURL": "https://grafana.example/d/1?viewPanel=2", "values": map[string]any{"B": 22.1}},
			map[string]any{"status": "firing", "labels": map[string]any{"alertname": "B", "severity": "info"}, "fingerprint": "2"},
			map[string]any{"status": "firing", "annotations": map[string]any{"summary": strings.Repeat("x", 300), "description": strings.Repeat("é", 9000)}},
		}}).want(200)
		var told []string
		for _, n := range anna.get("/api/v1/notices").want(200).items() {
			told = append(told, fmt.Sprint(n["severity"], " ", len(n["title"].(string)), " ", n["url"], " ", len(n["body"].(string))))
		}
		if got := strings.Join(told, ", "); got != "warning 202 <nil> 16383, info 1 <nil> 0, warning 1 https://grafana.example/d/1?viewPanel=2 0" {
			s.Error(got)
		}
		for _, body := range []string{`{"alerts":7}`, `{"alerts":null}`, `{"title":"[FIRING:1]","message":"of a template"}`, `{"alerts":[{"labels":{"a":1}}]}`, `{"alerts":[{"labels":{"alertname":"\u0000"}}]}`, `[]`} {
			key.post("/api/v1/hooks/alertmanager", body).refused(422, "invalid")
		}
		key.post("/api/v1/hooks/alertmanager", `{"alerts":[`+strings.Repeat(`{},`, 100)+`{}]}`).refused(413, "too_large")
		s.bearer(s.addKey(models.ScopeNoticesWrite)).post("/api/v1/hooks/alertmanager", `{"alerts":[{}]}`).refused(422, "invalid")
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 3 {
			s.Errorf("%d notices", n)
		}
		_, slow, err := s.server.Keys.Create(s.Context(), services.KeySpec{Name: "slow", Scopes: []models.Scope{models.ScopeNoticesWrite}, Rate: "1/h", To: models.Target{Users: []string{"anna"}}})
		if err != nil {
			s.Fatal(err)
		}
		s.bearer(slow).post("/api/v1/hooks/alertmanager", `{"alerts":[{}]}`).want(200)
		s.bearer(slow).post("/api/v1/hooks/alertmanager", `{"alerts":[{}]}`).refused(429, "rate_limited")
	})
}

// TestAlertRefusedAlone: what is wrong with one alert keeps no other back, and the answer says which it was.
func TestAlertRefusedAlone(t *testing.T) {
	onEach(t, nil, func(s *site) {
		key, anna := s.bearer(s.peerKey()), s.login("anna")
		large := map[string]any{"status": "firing", "labels": map[string]any{"alertname": "B", "huge": strings.Repeat("x", models.MaxData)}}
		call := map[string]any{"alerts": []any{
			map[string]any{"status": "firing", "labels": map[string]any{"alertname": "A"}, "fingerprint": "1"},
			map[string]any{"status": "firing", "labels": map[string]any{"alertname": 7}},
			large, nil, "B",
			map[string]any{"status": "firing", "labels": map[string]any{"alertname": "C"}, "fingerprint": "3"},
		}}
		made := key.post("/api/v1/hooks/alertmanager", call).want(200)
		if got := outcome(made); got != "kept 0 5, refused 1 alerts[1] 2 data 3 alerts[3] 4 alerts[4]" || made.header.Get("Idempotency-Replayed") != "" {
			s.Errorf("%s: %s", got, made.body)
		}
		for i, n := range anna.get("/api/v1/notices").want(200).items() {
			if made.at("notices").([]any)[1-i].(map[string]any)["id"] != n["id"] {
				s.Errorf("%s: %v", made.body, n)
			}
		}
		// A sender that got no answer.
		again := key.post("/api/v1/hooks/alertmanager", call).want(200)
		if string(again.body) != string(made.body) || again.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%s", again.body)
		}
		// Nothing is kept: the sender is to see a fault.
		if fields := key.post("/api/v1/hooks/grafana", map[string]any{"alerts": []any{large, nil}}).refused(422, "invalid").fields(); len(fields) != 1 || fields[0] != "data" {
			s.Errorf("%v", fields)
		}
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 2 {
			s.Errorf("%d notices", n)
		}
	})
}

// outcome is which of a call's were kept, and what was wrong with which of the others.
func outcome(r *reply) string {
	r.Helper()
	told := "kept"
	for _, n := range r.at("notices").([]any) {
		told += fmt.Sprint(" ", n.(map[string]any)["index"])
	}
	told += ", refused"
	for _, n := range r.at("refused").([]any) {
		problem := n.(map[string]any)["problem"].(map[string]any)
		told += fmt.Sprint(" ", n.(map[string]any)["index"], " ", problem["errors"].([]any)[0].(map[string]any)["field"])
	}
	return told
}

// TestAlertAgain: the same alert within minutes is the same call again, later a reminder; under a key of the sender's own it
// is the same call for a day.
func TestAlertAgain(t *testing.T) {
	onEach(t, nil, func(s *site) {
		key, call := s.bearer(s.peerKey()), hook("firing", "warning", "91 % full")
		post := func(c *client) (id int64, replayed bool) {
			r := c.post("/api/v1/hooks/alertmanager", call).want(200)
			return int64(r.at("notices").([]any)[0].(map[string]any)["id"].(float64)), r.header.Get("Idempotency-Replayed") == "true"
		}
		first, replayed := post(key)
		if replayed {
			s.Error("the first is a repeat")
		}
		// As if it had come in the stretch of time before, or the one before that.
		const now = 120_000 // ms
		clock := func() int64 {
			return s.number("SELECT "+map[bool]string{true: "now_ms()", false: "CAST(unixepoch('subsec') * 1000 AS integer)"}[s.db.Dialect == services.Postgres]) / now
		}
		for _, step := range []struct {
			ago  int64
			same bool
		}{{0, true}, {1, true}, {2, false}} {
			for began := int64(-1); began != clock(); { // a stretch that ends meanwhile is tried again
				began = clock()
				s.exec("DELETE FROM idempotency_keys WHERE subject <> ?", first)
				s.exec("UPDATE idempotency_keys SET key = substr(key, 1, 65) || ?", fmt.Sprint(began-step.ago))
				id, replayed := post(key)
				if began == clock() && (replayed != step.same || (id == first) != step.same) {
					s.Errorf("%d stretches later: %d after %d, replayed: %v", step.ago, id, first, replayed)
				}
			}
		}
		own := key.with("Idempotency-Key", "k")
		second, replayed := post(own)
		if second == first || replayed {
			s.Errorf("under a key: %d, replayed: %v", second, replayed)
		}
		if id, replayed := post(own); id != second || !replayed {
			s.Errorf("under a key again: %d after %d, replayed: %v", id, second, replayed)
		}
		if n := s.number("SELECT count(*) FROM idempotency_keys WHERE subject = ? AND key LIKE '%@%'", second); n != 0 {
			s.Error("under a key of the sender's own it is known for minutes alone")
		}
		own.post("/api/v1/hooks/alertmanager", hook("resolved", "warning", "60 % full")).refused(422, "idempotency_mismatch")
	})
}
