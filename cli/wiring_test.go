package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestSettingsReachTheServer: what was set holds where people and senders meet it.
//
// Security: S29, S35
func TestSettingsReachTheServer(t *testing.T) {
	s := sqliteShell(t)
	s.ok("battery staple", "user", "add", "anna", "--password-stdin")
	s.environ = append(s.environ, "BELFRY_PUBLIC_URL=https://bell.example", "BELFRY_TRUSTED_PROXIES=127.0.0.0/8", "BELFRY_CORS_ORIGINS=https://app.example",
		"BELFRY_LOGIN_RATE=2/h", "BELFRY_STREAMS_PER_USER=1", "BELFRY_GOTIFY=true")
	url := s.serving()
	ask := func(method, path, body string, headers ...string) (status int, header http.Header, text string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		all, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header, string(all)
	}
	signIn := func(password string) (int, http.Header, string) {
		t.Helper()
		return ask(http.MethodPost, "/api/v1/login", `{"username":"anna","password":"`+password+`"}`, "X-Forwarded-For", "203.0.113.7")
	}
	status, header, text := signIn("battery staple")
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	if status != http.StatusOK || !strings.HasPrefix(cookie, "__Host-belfry=") || !strings.Contains(header.Get("Set-Cookie"), "Secure") || header.Get("Strict-Transport-Security") == "" {
		t.Errorf("PUBLIC_URL: %d %v", status, header)
	}
	if !strings.Contains(text, `"ip":"203.0.113.7"`) {
		t.Errorf("TRUSTED_PROXIES: %s", text)
	}
	for _, want := range []int{401, 401, 429} {
		if status, _, text := signIn("wrong"); status != want {
			t.Errorf("LOGIN_RATE: %d %s, want %d", status, text, want)
		}
	}
	if status, header, _ := ask(http.MethodGet, "/api/v1/session", "", "Origin", "https://app.example", "Cookie", cookie); status != http.StatusOK || header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("CORS_ORIGINS: %d %v", status, header)
	}
	var ticket struct{ Token string }
	if _, _, text := ask(http.MethodPost, "/api/v1/stream-tickets", "", "Cookie", cookie); json.Unmarshal([]byte(text), &ticket) != nil {
		t.Fatalf("no ticket: %s", text)
	}
	apart := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no other request comes by a stream's connection
	openStream(t, apart, url+"/sse/stream?token="+ticket.Token).until("event: hello")
	openStream(t, apart, url+"/sse/stream?token="+ticket.Token).until("event: pause") // STREAMS_PER_USER
	if status, _, text := ask(http.MethodPost, "/message", "{}"); status != http.StatusUnauthorized || !strings.Contains(text, `"errorCode":401`) {
		t.Errorf("GOTIFY: %d %s", status, text)
	}
	if status, _, text := ask(http.MethodPost, "/alerts", "{}"); status == http.StatusUnauthorized {
		t.Errorf("NTFY, which was not set: %d %s", status, text)
	}
	if status, _, text := ask(http.MethodGet, "/livez", "", "X-Long", strings.Repeat("x", 40<<10)); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a head of 40 KiB: %d %s", status, text)
	}
}
