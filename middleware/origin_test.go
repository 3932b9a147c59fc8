package middleware

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

const allowed = "https://app.example"

// guarded is a route behind everything of this file, on the host belfry.example.
func guarded(t testing.TB) http.Handler {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	log := slog.New(slog.DiscardHandler)
	origins := Origins{allowed, "http://localhost:5173"}
	crossOrigin, err := origins.CrossOrigin(log)
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	answer := func(c *gin.Context) { c.Status(http.StatusOK) }
	group := engine.Group("", origins.CORS(log), crossOrigin)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		group.Handle(method, "/api", answer)
	}
	engine.GET("/sse", origins.CORS(log), origins.StreamOrigin(log), answer)
	engine.NoMethod(origins.CORS(log), func(c *gin.Context) { c.Status(http.StatusMethodNotAllowed) })
	return engine
}

func ask(handler http.Handler, method, path string, headers map[string]string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "https://belfry.example"+path, nil)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	return w
}

// foreign are origins that look like ours or like the allowed one.
var foreign = []string{
	"https://evil.example", "null", "http://app.example", "https://app.example.evil.example", "https://evilapp.example", "https://app.example:8443",
	"https://app.example/", "https://APP.example.evil", "https://app.example@evil.example", "https://x.app.example", "https://belfry.example.evil.example",
	"https://notbelfry.example", "https://belfry.example:8443", "http://localhost:5174", "http://localhost", "file://", "*", "https://*.app.example", "about:blank", "chrome-extension://belfry.example",
}

// TestForeignOrigins: none of them reads an answer or sends a request, with whatever credentials.
//
// Security: S26
func TestForeignOrigins(t *testing.T) {
	handler := guarded(t)
	for _, origin := range foreign {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			for _, path := range []string{"/api", "/sse"} {
				for _, bearer := range []string{"", "Bearer bfk_x"} {
					w := ask(handler, method, path, map[string]string{"Origin": origin, "Authorization": bearer, "Access-Control-Request-Method": "POST"})
					if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"forbidden"`) || w.Header().Get("Content-Type") != problemType {
						t.Errorf("%s %s from %s: %d %s", method, path, origin, w.Code, w.Body)
					}
					for name := range w.Header() {
						if strings.HasPrefix(name, "Access-Control-") {
							t.Errorf("%s %s from %s: %s", method, path, origin, name)
						}
					}
					if !slices.Contains(w.Header().Values("Vary"), "Origin") {
						t.Errorf("%s %s from %s: Vary %q", method, path, origin, w.Header().Values("Vary"))
					}
				}
			}
		}
	}
}

// TestAllowedOrigin reads answers, with credentials.
//
// Security: S26
func TestAllowedOrigin(t *testing.T) {
	handler := guarded(t)
	for _, path := range []string{"/api", "/sse"} {
		w := ask(handler, http.MethodGet, path, map[string]string{"Origin": allowed, "Sec-Fetch-Site": "cross-site"})
		want := map[string]string{
			"Access-Control-Allow-Origin": allowed, "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
			"Access-Control-Expose-Headers": "Retry-After,Idempotency-Replayed,Log-End,Task-State",
		}
		for name, value := range want {
			if got := w.Header().Values(name); len(got) != 1 || !strings.EqualFold(got[0], value) {
				t.Errorf("%s: %s %q, want %q", path, name, got, value)
			}
		}
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, origin := range []string{"https://belfry.example", ""} {
		w := ask(handler, http.MethodGet, "/api", map[string]string{"Origin": origin})
		if w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("from our own origin %q: %d %v", origin, w.Code, w.Header())
		}
	}
}

// TestPreflight grants exactly what the API needs.
//
// Security: S26
func TestPreflight(t *testing.T) {
	handler := guarded(t)
	w := ask(handler, http.MethodOptions, "/api", map[string]string{"Origin": allowed, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type,x-other"})
	if w.Code != http.StatusNoContent {
		t.Fatalf("%d", w.Code)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Headers": "authorization cache-control content-type idempotency-key last-event-id",
		"Access-Control-Allow-Methods": "delete get patch post put",
	} {
		got := strings.FieldsFunc(strings.ToLower(w.Header().Get(name)), func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
	if w.Header().Get("Access-Control-Allow-Origin") != allowed || w.Header().Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("%v", w.Header())
	}
	if vary := strings.Join(w.Header().Values("Vary"), ","); !strings.Contains(vary, "Origin") {
		t.Errorf("Vary %q", vary)
	}
}

// TestCrossOrigin is the matrix of what browsers say of a request's source, in all of its forms.
//
// Security: S22
func TestCrossOrigin(t *testing.T) {
	handler := guarded(t)
	for _, row := range []struct {
		site, origin string
		passes       bool
	}{
		{"", "", true}, // no browser
		{"same-origin", "", true}, {"none", "", true},
		{"cross-site", "", false}, {"same-site", "", false}, {"unknown", "", false},
		{"", "https://belfry.example", true}, {"", allowed, true}, {"", "https://evil.example", false}, {"", "null", false},
		{"same-origin", "https://belfry.example", true}, {"cross-site", allowed, true}, {"same-site", allowed, true},
		{"cross-site", "https://belfry.example", false}, {"same-site", "https://sibling.example", false}, {"same-origin", "https://evil.example", false},
		{"cross-site", "null", false}, {"none", "https://evil.example", false},
	} {
		headers := map[string]string{}
		if row.site != "" {
			headers["Sec-Fetch-Site"] = row.site
		}
		if row.origin != "" {
			headers["Origin"] = row.origin
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			if w := ask(handler, method, "/api", headers); (w.Code == http.StatusOK) != row.passes || (!row.passes && w.Code != http.StatusForbidden) {
				t.Errorf("%s from site %q, origin %q: %d", method, row.site, row.origin, w.Code)
			}
		}
		// A request that a browser does not send by itself is nobody's forgery, if its origin may call at all.
		headers["Authorization"] = "Bearer bfk_x"
		if w := ask(handler, "POST", "/api", headers); (row.origin == "" || row.passes) && w.Code != http.StatusOK {
			t.Errorf("with a key from site %q, origin %q: %d", row.site, row.origin, w.Code)
		}
	}
}

// TestStreamOrigin: another site opens no stream without a word of its origin.
//
// Security: S25
func TestStreamOrigin(t *testing.T) {
	handler := guarded(t)
	for site, want := range map[string]int{"": 200, "same-origin": 200, "same-site": 200, "none": 200, "cross-site": 403} {
		if w := ask(handler, http.MethodGet, "/sse", map[string]string{"Sec-Fetch-Site": site}); w.Code != want {
			t.Errorf("from site %q: %d, want %d", site, w.Code, want)
		}
	}
}
