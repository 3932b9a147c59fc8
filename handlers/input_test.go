package handlers_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"testing"

	"belfry/models"
)

// TestBodies sends what no route takes, to a route of each kind of caller.
func TestBodies(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		c := s.login("anna")
		hello := func(title string) string { return `{"to":{"users":["anna"]},"title":` + title + `}` }
		for body, want := range map[string]int{
			"": 400, " ": 400, "{": 400, `{"title":}`: 400, "not json": 400, `{"title":"x"} {}`: 400, `{"title":"x"},`: 400, strings.Repeat("[", 20000): 400,
			"null": 422, "true": 422, "7": 422, `"x"`: 422, "[]": 422, "{}": 422, `[{"title":"x"}]`: 422,
			hello(`7`): 422, hello(`null`): 422, hello(`["x"]`): 422, hello(`{"x":1}`): 422, hello(`""`): 422,
			`{"to":[],"title":"x"}`: 422, `{"to":"anna","title":"x"}`: 422, `{"to":{"users":"anna"},"title":"x"}`: 422, `{"to":{"users":[1]},"title":"x"}`: 422,
			`{"to":{"users":["anna"]},"title":"x","extra":1}`: 422, `{"to":{"users":["anna"],"extra":1},"title":"x"}`: 422, `{"to":{"users":["anna"]},"Title":"x"}`: 422,
			`{"to":{"users":["anna"]},"title":"x","TITLE":"y"}`: 422, `{"to":{},"title":"x"}`: 422, `{"to":{"everyone":false},"title":"x"}`: 422, `{"to":{"everyone":"yes"},"title":"x"}`: 422,
			hello("\"a\xffb\""): 422, hello("\"a\xc0\xafb\""): 422, hello("\"\xed\xa0\x80\""): 422, hello("\"a\x00b\""): 422, "\x00": 422, hello(`"a\u0000b"`): 422,
			hello(`"\ud800"`): 422, hello(`"\udc00\ud800"`): 422, hello(`"\ud83d\\udd14"`): 422, hello(`"\uD83Dx"`): 422,
			`{"\u0000":1}`: 422, `{"to":{"users":["anna"]},"title":"x","data":{"k":"\ud800"}}`: 422,
			hello(`"\ud83d\udd14 \\u0000 \\ud800 \u0001 \u007f \uffff \\\""`): 201, "\ufeff" + hello(`"x"`): 400,
		} {
			r := c.post("/api/v1/notices", body).want(want)
			if want >= 400 && r.text("code") != "invalid" {
				s.Errorf("%.60q: code %s", body, r.text("code"))
			}
			if want == 422 && len(r.fields()) == 0 {
				s.Errorf("%.60q: no field is named: %s", body, r.body)
			}
		}
		got := c.get("/api/v1/notices?limit=1").want(200).items()[0]["title"]
		if want := "🔔 \\u0000 \\ud800 \x01 \x7f \uffff \\\""; got != want {
			s.Errorf("title %q came back, want %q", got, want)
		}
	})
}

// TestBodySize: the cap is a mebibyte, to the byte.
func TestBodySize(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		body := []byte(`{"to":{"users":["anna"]},"title":"x"}`)
		fits := append(body, bytes.Repeat([]byte(" "), 1<<20-len(body))...)
		c.post("/api/v1/notices", fits).want(201)
		c.post("/api/v1/notices", append(fits, ' ')).refused(413, "too_large")
		c.post("/api/v1/session/unlock", bytes.Repeat([]byte("x"), 3<<20)).refused(413, "too_large")
		// Who may not call is told so before anything is read.
		s.nobody().post("/api/v1/notices", append(fits, ' ')).refused(401, "unauthenticated")
		// Without a length in advance.
		req := c.request(http.MethodPost, "/api/v1/notices", append(fits, ' '))
		req.ContentLength = -1
		c.send(req).refused(413, "too_large")
	})
}

// TestLargeBodyIsSentFirst: who reads nothing before everything is sent gets the answer too, and not a broken connection.
func TestLargeBodyIsSentFirst(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		for path, size := range map[string]int{"/api/v1/notices": 9 << 20, "/api/v1/notices/batch": 16<<20 + 1} {
			for _, announced := range []int64{int64(size), -1} {
				req := c.request(http.MethodPost, path, bytes.Repeat([]byte(" "), size))
				req.ContentLength = announced
				conn, err := net.Dial("tcp", req.URL.Host)
				if err != nil {
					s.Fatal(err)
				}
				if err := req.Write(conn); err != nil {
					s.Errorf("%s: %v", path, err)
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), req)
				if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
					s.Errorf("%s: %+v, %v", path, resp, err)
				}
				_ = conn.Close()
			}
		}
	})
}

// TestMediaType: JSON is taken, under its name or none.
func TestMediaType(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		body := `{"to":{"users":["anna"]},"title":"x"}`
		for name, want := range map[string]int{
			"application/json": 201, "application/json; charset=utf-8": 201, "Application/JSON": 201, "": 201,
			"text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "application/xml": 415, "application/cbor": 415, "text/json": 415, "x": 415,
		} {
			req := c.request(http.MethodPost, "/api/v1/notices", body)
			req.Header.Del("Content-Type")
			if name != "" {
				req.Header.Set("Content-Type", name)
			}
			r := c.send(req).want(want)
			if want == 415 && r.text("code") != "unsupported_media_type" {
				s.Errorf("%q: code %s", name, r.text("code"))
			}
		}
	})
}

// TestCodedBody: what is packed is refused as that. Else it would be called broken text, and in a task's log be kept as it is.
func TestCodedBody(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		c := s.login("anna")
		packed := []byte("\x1f\x8b\x08\x00")
		task := "/api/v1/tasks/" + itoa(c.post("/api/v1/tasks", `{"title":"x","to":{"users":["anna"]}}`).want(201).int("id"))
		for _, path := range []string{"/api/v1/notices", "/api/v1/notices/batch", task + "/log?offset=0"} {
			c.with("Content-Encoding", "gzip").post(path, packed).refused(415, "unsupported_media_type")
		}
		c.with("Content-Encoding", "identity").post(task+"/log?offset=0", packed).want(200)
		c.with("Content-Encoding", "gzip").post("/api/v1/session/activity", nil).want(200) // it has no body
	})
}

// TestLimits: characters are code points, KiB are bytes.
func TestLimits(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		c := s.login("anna")
		send := func(member string, value any, want int) {
			s.Helper()
			body := map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "x"}
			body[member] = value
			r := c.post("/api/v1/notices", body)
			if r.status != want {
				s.Errorf("%s of %.40v: %d, want %d: %s", member, value, r.status, want, r.body)
			}
		}
		bell := func(n int) string { return strings.Repeat("🔔", n) }
		send("title", bell(200), 201)
		send("title", bell(201), 422)
		send("body", bell(4096), 201)
		send("body", bell(4096)+"x", 422)
		send("data", map[string]any{"k": strings.Repeat("x", 16<<10-8)}, 201)
		send("data", map[string]any{"k": strings.Repeat("x", 16<<10-7)}, 422)
		for _, data := range []any{[]int{1}, "x", 7, true} {
			send("data", data, 422)
		}
		send("data", nil, 201)
		for _, url := range []string{"http://a.example", "https://a.example/x?y#z", "/path", "/", "HTTPS://a.example"} {
			send("url", url, 201)
			send("actions", []any{map[string]any{"label": "Go", "url": url}}, 201)
		}
		for _, url := range []string{"", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "ftp://a.example",
			"//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "http:evil", "https://", "relative", "?x", "#x", "blob:x", "/a\nb", "/" + strings.Repeat("x", 3000)} {
			send("url", url, 422)
			send("actions", []any{map[string]any{"label": "Go", "url": url}}, 422)
		}
		for _, severity := range []string{"info", "success", "warning", "critical"} {
			send("severity", severity, 201)
		}
		send("severity", "fatal", 422)
		send("format", "markdown", 201)
		send("format", "html", 422)
		send("expires_at", "2020-01-01T00:00:00Z", 422)
		send("expires_at", "tomorrow", 422)
		send("expires_at", 7, 422)
	})
}

// TestQueries: a parameter that is not one is refused, and named.
func TestQueries(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		c := s.login("anna")
		for query, field := range map[string]string{
			"limit=0": "limit", "limit=201": "limit", "limit=-1": "limit", "limit=abc": "limit", "limit=1.5": "limit", "limit=99999999999999999999": "limit",
			"state=": "", "state=gone": "state", "state=INBOX": "state", "before=garbage": "before", "before=-1": "before", "before=x-01": "before",
			"q=%00": "query", "q=%ff": "query", "category=%ed%a0%80": "query",
		} {
			r := c.get("/api/v1/notices?" + query)
			if field == "" {
				r.want(200)
				continue
			}
			if f := r.refused(422, "invalid").fields(); len(f) != 1 || f[0] != field {
				s.Errorf("%s: fields %q, want %s", query, f, field)
			}
		}
		c.get("/api/v1/users?limit=0").refused(422, "invalid")
		c.get("/api/v1/notices?limit=200").want(200)
	})
}
