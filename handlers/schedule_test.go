package handlers_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"belfry/models"
)

// TestScheduledOverHTTP: alone and in a batch the cursor is null until the release, also for the same request again.
func TestScheduledOverHTTP(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		anna, bob := s.login("anna"), s.login("bob")
		at := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
		body := map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "later", "deliver_at": at}
		keyed := bob.with("Idempotency-Key", "k")
		first, again := keyed.post("/api/v1/notices", body).want(201), keyed.post("/api/v1/notices", body).want(201)
		if first.at("cursor") != nil || string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%s, then %s", first.body, again.body)
		}
		line, err := json.Marshal(body)
		if err != nil {
			s.Fatal(err)
		}
		batch := bob.post("/api/v1/notices/batch", string(line)+"\n"+`{"to":{"users":["anna"]},"title":"now","deliver_at":null}`).want(200)
		var waiting, done struct {
			Status int
			ID     int64
			Cursor *string
		}
		lines := bytes.Split(bytes.TrimSpace(batch.body), []byte("\n"))
		if json.Unmarshal(lines[0], &waiting) != nil || json.Unmarshal(lines[1], &done) != nil || waiting.Status != 201 || waiting.Cursor != nil || done.Cursor == nil {
			s.Errorf("%s", batch.body)
		}
		if items := anna.get("/api/v1/notices?state=all").want(200).items(); len(items) != 1 || items[0]["title"] != "now" {
			s.Errorf("before its time: %v", items)
		}
		for _, id := range []int64{first.int("id"), waiting.ID} {
			anna.get("/api/v1/notices/"+itoa(id)).refused(404, "not_found")
			anna.do(http.MethodPatch, "/api/v1/notices/"+itoa(id), map[string]any{"read": true}).refused(404, "not_found")
			anna.get("/api/v1/notices/"+itoa(id)+"/receipts").refused(404, "not_found")
		}
		sent := bob.get("/api/v1/notices/sent").want(200).items()
		if len(sent) != 3 || sent[2]["id"] != float64(first.int("id")) || sent[2]["deliver_at"] != at || sent[2]["cursor"] != nil || sent[0]["deliver_at"] != nil || sent[0]["cursor"] != *done.Cursor {
			s.Errorf("%v", sent)
		}
		bob.do(http.MethodDelete, "/api/v1/notices/"+itoa(waiting.ID), nil).want(204)
		s.exec("UPDATE schedules SET deliver_at = 1")
		if _, err := s.server.Notices.Release(s.Context()); err != nil {
			s.Fatal(err)
		}
		r := anna.get("/api/v1/notices/" + itoa(first.int("id"))).want(200)
		if items := anna.get("/api/v1/notices").want(200).items(); len(items) != 2 || items[0]["title"] != "later" || items[0]["cursor"] != r.text("cursor") || len(r.object()) != 17 {
			s.Errorf("released: %v, %s", items, r.body)
		}
		for _, bad := range []any{"tomorrow", "", 7, "2026-01-01", time.Now().AddDate(1, 0, 2).Format(time.RFC3339)} {
			body["deliver_at"] = bad
			if fields := bob.post("/api/v1/notices", body).refused(422, "invalid").fields(); len(fields) == 0 || fields[0] != "deliver_at" {
				s.Errorf("%v: fields %q", bad, fields)
			}
		}
	})
}
