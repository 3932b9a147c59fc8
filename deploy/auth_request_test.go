package deploy_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// intranet is the worked example, before an application of the test.
func intranet(t *testing.T, application string) string {
	t.Helper()
	example, err := os.ReadFile("nginx/auth_request.conf.example")
	if err != nil {
		t.Fatal(err)
	}
	const there = "http://127.0.0.1:9000"
	if !strings.Contains(string(example), there) {
		t.Fatalf("the example has no application at %s", there)
	}
	return strings.ReplaceAll(string(example), there, application)
}

// TestApplicationIsShutWithTheLock has a node that answers the check as Belfry does, by the cookie.
//
// Security: L2
func TestApplicationIsShutWithTheLock(t *testing.T) {
	check := func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("__Host-belfry")
		switch {
		case r.URL.String() != "/api/v1/session/check" || r.ContentLength != 0:
			t.Errorf("asked for %s with a body of %d bytes", r.URL, r.ContentLength)
		case r.Header.Get("Authorization")+r.Header.Get("Origin") != "":
			t.Errorf("asked with %v", r.Header)
		case err == nil && cookie.Value == "active":
			w.Header().Set("X-Belfry-User", "anna")
			w.WriteHeader(http.StatusNoContent)
		case err == nil:
			w.Header().Set("X-Belfry-State", cookie.Value)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("X-Belfry-State", "none")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	application := node(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		_, _ = io.WriteString(w, r.URL.Path+" "+strings.Join(r.Header["X-Belfry-User"], ","))
	})
	p := startNginx(t, intranet(t, application), node(t, check))
	for _, c := range []struct {
		name, cookie, mode string
		status             int
		text, state, to    string
	}{
		{name: "active", cookie: "active", status: 200, text: "hello /files anna"},
		{name: "locked", cookie: "locked", mode: "cors", status: 401, state: "locked"},
		{name: "ended", cookie: "ended", status: 401, state: "ended"},
		{name: "nobody", status: 401, state: "none"},
		{name: "locked page", cookie: "locked", mode: "navigate", status: 303, state: "locked", to: p.base + "/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := []string{"X-Belfry-User: root", "Authorization: Bearer of-the-application", "Origin: https://app.example.com", "Sec-Fetch-Mode: " + c.mode}
			if c.cookie != "" {
				headers = append(headers, "Cookie: __Host-belfry="+c.cookie)
			}
			response := p.send(t, "POST", "/intranet/files?token=x", strings.NewReader("hello "), headers...)
			text, header := body(t, response), response.Header
			if response.StatusCode != c.status || header.Get("X-Belfry-State") != c.state || header.Get("Location") != c.to {
				t.Errorf("%d, %v", response.StatusCode, header)
			}
			if got := header.Get("Content-Security-Policy"); c.status == 200 && got != "" {
				t.Errorf("the application's page gets Belfry's policy %q", got)
			}
			if c.text != "" && text != c.text || c.text == "" && strings.Contains(text, "hello") {
				t.Errorf("the application's answer: %q, want %q", text, c.text)
			}
		})
	}
}

func TestApplicationIsShutWithoutBelfry(t *testing.T) {
	application := node(t, func(http.ResponseWriter, *http.Request) { t.Error("the application was reached") })
	p := startNginx(t, intranet(t, application), absentNode(t))
	if response := p.get(t, "/intranet/", "Cookie: __Host-belfry=active"); response.StatusCode != 500 {
		t.Errorf("%d", response.StatusCode)
	}
	if response := p.get(t, "/belfry-check"); response.StatusCode != 404 {
		t.Errorf("the check can be asked from outside: %d", response.StatusCode)
	}
}
