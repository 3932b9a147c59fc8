package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"belfry/models"
)

// TestNotice publishes one and reads it back as it was.
func TestNotice(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("Bob", models.RoleUser)
		anna, bob := s.login("anna"), s.login("bob")
		expires := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
		sent := bob.post("/api/v1/notices", map[string]any{"to": map[string]any{"users": []string{"ANNA", "anna"}}, "title": "T", "body": "B", "format": "markdown", "url": "/x",
			"actions": []any{map[string]any{"label": "L", "url": "https://a.example"}}, "severity": "warning", "category": "c", "collapse_key": "k", "data": map[string]any{"n": 1.5, "s": "<&>"},
			"expires_at": expires.Add(200 * time.Microsecond).Format(time.RFC3339Nano)}).want(201)
		if got := names(sent.object()); len(got) != 2 || got[0] != "cursor" || got[1] != "id" {
			s.Errorf("publishing answers %q", got)
		}
		id := itoa(sent.int("id"))
		r := anna.get("/api/v1/notices/" + id).want(200)
		for member, want := range map[string]any{"id": float64(sent.int("id")), "cursor": sent.text("cursor"), "title": "T", "body": "B", "format": "markdown", "url": "/x", "severity": "warning",
			"category": "c", "collapse_key": "k", "expires_at": expires.Format("2006-01-02T15:04:05.000Z"), "read_at": nil, "archived_at": nil, "snoozed_until": nil} {
			if got := r.at(member); got != want {
				s.Errorf("%s %v, want %v", member, got, want)
			}
		}
		if r.text("sender", "type") != "user" || r.text("sender", "name") != "Bob" || r.at("data", "n") != 1.5 || r.at("data", "s") != "<&>" || len(r.object()) != 17 {
			s.Errorf("%s", r.body)
		}
		instant(s.TB, r.text("created_at"))
		if list := anna.get("/api/v1/notices").want(200).items(); len(list) != 1 {
			s.Errorf("who is reached twice has %d", len(list))
		}
		// The least that will do.
		key := s.bearer(s.addKey(models.ScopeNoticesWrite))
		id = itoa(key.post("/api/v1/notices", map[string]any{"to": map[string]any{"everyone": true}, "title": "T"}).want(201).int("id"))
		r = anna.get("/api/v1/notices/" + id).want(200)
		if r.text("body") != "" || r.text("format") != "text" || r.at("url") != nil || r.text("severity") != "info" || r.at("category") != nil || r.at("data") != nil || r.at("collapse_key") != nil ||
			r.at("expires_at") != nil || len(r.at("actions").([]any)) != 0 || r.text("sender", "type") != "key" {
			s.Errorf("%s", r.body)
		}
	})
}

// TestWhoMayAddress: a plain user writes to a few users, a key or an admin to whomever.
func TestWhoMayAddress(t *testing.T) {
	onEach(t, nil, func(s *site) {
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"} {
			s.addUser(name, models.RoleUser)
		}
		s.addUser("root", models.RoleAdmin)
		s.exec("INSERT INTO groups (name, display_name, created_at) VALUES ('team', 'Team', 0)")
		plain, root, key := s.login("a"), s.login("root"), s.bearer(s.addKey(models.ScopeNoticesWrite))
		ten := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
		for _, row := range []struct {
			to     map[string]any
			status int // for a plain user
		}{
			{map[string]any{"users": ten}, 201}, {map[string]any{"users": append(ten, "k")}, 403}, {map[string]any{"groups": []string{"team"}}, 403},
			{map[string]any{"everyone": true}, 403}, {map[string]any{"users": []string{"b"}, "groups": []string{"team"}, "everyone": true}, 403},
		} {
			body := map[string]any{"to": row.to, "title": "x"}
			plain.post("/api/v1/notices", body).want(row.status)
			root.post("/api/v1/notices", body).want(201)
			key.post("/api/v1/notices", body).want(201)
		}
		for member, name := range map[string]string{"users": "Nemo", "groups": "nowhere"} {
			r := root.post("/api/v1/notices", map[string]any{"to": map[string]any{member: []string{name}}, "title": "x"}).refused(422, "invalid")
			if f := r.fields(); len(f) != 1 || f[0] != "to."+member {
				s.Errorf("fields %q", f)
			}
			if detail := r.at("errors").([]any)[0].(map[string]any)["detail"].(string); detail != "There is no "+member[:len(member)-1]+" "+name+"." {
				s.Errorf("detail %q", detail)
			}
		}
		if hits := plain.get("/api/v1/recipients?q=TEA").want(200).items(); len(hits) != 0 {
			s.Errorf("a plain user finds %v", hits)
		}
		hits := key.get("/api/v1/recipients?q=TEA").want(200).items()
		if len(hits) != 1 || hits[0]["type"] != "group" || hits[0]["name"] != "team" || hits[0]["display_name"] != "Team" || len(hits[0]) != 3 {
			s.Errorf("a key finds %v", hits)
		}
		if hits := plain.get("/api/v1/recipients?q=%25").want(200).items(); len(hits) != 0 {
			s.Errorf("%% finds %v", hits)
		}
	})
}

// TestPages goes through an inbox page by page.
func TestPages(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		var sent []float64
		for range 7 {
			sent = append(sent, float64(s.notify("anna")))
		}
		var got []float64
		before := ""
		for page := 0; ; page++ {
			r := c.get("/api/v1/notices?limit=3" + before).want(200)
			if f := names(r.object()); len(f) != 4 {
				s.Errorf("a page has %q", f)
			}
			for _, item := range r.items() {
				got = append(got, item["id"].(float64))
			}
			if r.int("unread") != 7 {
				s.Errorf("unread %d", r.int("unread"))
			}
			offset(s, r.text("cursor"))
			next := r.at("next_before")
			if next == nil {
				if page != 2 {
					s.Errorf("%d pages", page+1)
				}
				break
			}
			before = "&before=" + next.(string)
		}
		for i, id := range got {
			if id != sent[len(sent)-1-i] {
				s.Errorf("item %d is %v, want %v", i, id, sent[len(sent)-1-i])
			}
		}
		if r := c.get("/api/v1/notices?limit=7").want(200); r.at("next_before") != nil || len(got) != 7 {
			s.Errorf("a full last page: %v, %d items", r.at("next_before"), len(got))
		}
	})
}

// TestStates marks notices and looks at each list.
func TestStates(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		list := func(query string, want ...int64) *reply {
			s.Helper()
			r := c.get("/api/v1/notices?" + query).want(200)
			items := r.items()
			if len(items) != len(want) {
				s.Fatalf("%s: %d items, want %d: %s", query, len(items), len(want), r.body)
			}
			for i := range want {
				if items[i]["id"] != float64(want[i]) {
					s.Errorf("%s: item %d is %v, want %d", query, i, items[i]["id"], want[i])
				}
			}
			return r
		}
		one, two, three := s.notify("anna"), s.notify("anna"), s.notify("anna")
		path := func(id int64) string { return "/api/v1/notices/" + itoa(id) }
		r := c.do(http.MethodPatch, path(one), map[string]any{"read": true}).want(200)
		first := r.text("read_at")
		instant(s.TB, first)
		if again := c.do(http.MethodPatch, path(one), map[string]any{"read": true}).want(200).text("read_at"); again != first {
			s.Errorf("read again moved the time from %s to %s", first, again)
		}
		c.do(http.MethodPatch, path(two), map[string]any{"archived": true}).want(200)
		list("", three, one)
		list("state=unread", three)
		list("state=archived", two)
		list("state=snoozed")
		if got := list("state=all", three, two, one).int("unread"); got != 1 {
			s.Errorf("unread %d, want 1: archived ones do not count", got)
		}
		r = c.post("/api/v1/notices/state", map[string]any{"ids": []int64{one, two, three, 999}, "read": false, "archived": false}).want(200)
		if r.int("changed") != 2 || r.int("unread") != 3 || len(r.object()) != 2 {
			s.Errorf("%s", r.body)
		}
		r = c.post("/api/v1/notices/state", map[string]any{"up_to": c.get(path(two)).want(200).text("cursor"), "read": true}).want(200)
		if r.int("changed") != 2 || r.int("unread") != 1 {
			s.Errorf("up to the second: %s", r.body)
		}
		list("state=unread", three)
		for _, body := range []map[string]any{{}, {"read": true}, {"ids": []int64{one}}, {"ids": []int64{one}, "up_to": "x-1", "read": true}, {"up_to": "garbage", "read": true},
			{"ids": []any{"1"}, "read": true}, {"ids": []any{1.5}, "read": true}, {"ids": []int64{one}, "read": "yes"}, {"ids": []int64{one}, "snooze": true}} {
			c.post("/api/v1/notices/state", body).refused(422, "invalid")
		}
		list("q=FOR+ANNA", three, two, one)
		list("q=%25")
		list("category=none")
	})
}

// TestSnoozing puts notices off and brings them back: by hand, and by the clock.
func TestSnoozing(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		c := s.login("anna")
		one, two := s.notify("anna"), s.notify("anna")
		path := func(id int64) string { return "/api/v1/notices/" + itoa(id) }
		shown := func(state string) int { return len(c.get("/api/v1/notices?state=" + state).want(200).items()) }
		until := time.Now().Add(24 * time.Hour).Truncate(time.Millisecond)
		local := until.In(time.FixedZone("", 8*3600)).Format(time.RFC3339Nano)
		want := until.UTC().Format("2006-01-02T15:04:05.000Z")
		if got := c.do(http.MethodPatch, path(one), map[string]any{"snoozed_until": local}).want(200).text("snoozed_until"); got != want {
			s.Errorf("snoozed until %s, want %s", got, want)
		}
		// What is left out stays.
		if got := c.do(http.MethodPatch, path(one), map[string]any{"read": true}).want(200).text("snoozed_until"); got != want {
			s.Errorf("read, it is snoozed until %s, want %s", got, want)
		}
		if shown("inbox") != 1 || shown("unread") != 1 || shown("snoozed") != 1 || shown("all") != 2 {
			s.Errorf("inbox %d, unread %d, snoozed %d, all %d", shown("inbox"), shown("unread"), shown("snoozed"), shown("all"))
		}
		if r := c.do(http.MethodPatch, path(one), map[string]any{"snoozed_until": nil, "read": false}).want(200); r.at("snoozed_until") != nil || r.at("read_at") != nil {
			s.Errorf("%s", r.body)
		}
		r := c.post("/api/v1/notices/state", map[string]any{"ids": []int64{one, two, 999}, "snoozed_until": local}).want(200)
		if r.int("changed") != 2 || r.int("unread") != 0 {
			s.Errorf("%s", r.body)
		}
		if r := c.do(http.MethodPatch, path(two), map[string]any{"archived": true}).want(200); r.at("snoozed_until") != nil {
			s.Errorf("archived: %s", r.body)
		}
		s.exec("UPDATE notice_states SET snoozed_until = 1 WHERE snoozed_until IS NOT NULL")
		if r := c.get("/api/v1/notices").want(200); len(r.items()) != 1 || r.int("unread") != 1 || r.items()[0]["snoozed_until"] != nil {
			s.Errorf("by the clock: %s", r.body)
		}
		for _, at := range []any{time.Now().Add(-time.Minute).Format(time.RFC3339), time.Now().AddDate(1, 0, 3).Format(time.RFC3339), "1970-01-01T00:00:00Z", "tomorrow", "", 5, true} {
			c.do(http.MethodPatch, path(one), map[string]any{"snoozed_until": at}).refused(422, "invalid")
			c.post("/api/v1/notices/state", map[string]any{"ids": []int64{one}, "snoozed_until": at}).refused(422, "invalid")
		}
		cursor := c.get(path(two)).want(200).text("cursor")
		c.post("/api/v1/notices/state", map[string]any{"up_to": cursor, "snoozed_until": local}).refused(422, "invalid")
		c.post("/api/v1/notices/state", map[string]any{"ids": []int64{one}, "snoozed_until": local, "archived": true}).refused(422, "invalid")
		s.login("bob").do(http.MethodPatch, path(one), map[string]any{"snoozed_until": local}).refused(404, "not_found")
	})
}

// TestCollapse: of one sender and key the newest stands, in the inbox and in the count.
func TestCollapse(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		key := s.bearer(s.addKey(models.ScopeNoticesWrite))
		send := func(by *client, more map[string]any) int64 {
			s.Helper()
			more["to"], more["title"] = map[string]any{"users": []string{"anna"}}, "x"
			return by.post("/api/v1/notices", more).want(201).int("id")
		}
		send(key, map[string]any{"collapse_key": "build"})
		send(key, map[string]any{"collapse_key": "build"})
		last := send(key, map[string]any{"collapse_key": "build"})
		send(s.bearer(s.addKey(models.ScopeNoticesWrite)), map[string]any{"collapse_key": "build"})
		gone := send(key, map[string]any{"expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
		s.exec("UPDATE entries SET expires_at = 1 WHERE log_offset = ?", gone)
		r := c.get("/api/v1/notices").want(200)
		if items := r.items(); len(items) != 2 || items[1]["id"] != float64(last) || r.int("unread") != 2 {
			s.Errorf("%s", r.body)
		}
		if items := c.get("/api/v1/notices?state=all").want(200).items(); len(items) != 5 {
			s.Errorf("%d in all", len(items))
		}
	})
}
