package middleware

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// TestBearer: a header that holds no credential of ours is a bad one, not none.
func TestBearer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		header string
		sent   bool
		token  string
		given  bool
	}{
		{"", false, "", false}, {"", true, "", true}, {"Bearer", true, "", true}, {"Bearer ", true, "", true}, {"Bearer x", true, "x", true}, {"bEARER  x ", true, "x", true},
		{"Basic eA==", true, "", true}, {"x", true, "", true}, {"Bearerx", true, "", true},
	} {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		c.Request = httptest.NewRequest(http.MethodGet, "/", nil)
		if row.sent {
			c.Request.Header.Set("Authorization", row.header)
		}
		if token, given := Bearer(c); token != row.token || given != row.given {
			t.Errorf("%q: %q %v", row.header, token, given)
		}
	}
}

// TestNoCredentialInQuery: an address with one is refused, but for tickets on streams, and never logged.
//
// Security: S15
func TestNoCredentialInQuery(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	log := slog.New(slog.NewTextHandler(&buf, nil))
	engine := gin.New()
	engine.Use(Log(log), NoCredentialInQuery(log, func(c *gin.Context) bool { return c.Request.URL.Path == "/peer" }))
	engine.NoRoute(func(c *gin.Context) { c.Status(http.StatusOK) })
	for address, want := range map[string]int{
		"/api/v1/x?token=hunter2": 401, "/api/v1/x?access_token=hunter2": 401, "/?key=hunter2": 401, "/x?a=b&api_key=hunter2": 401, "/api?token": 401, "/api?token=hunter2%zz": 401, "/api?token=hunter2;x": 401, "/api?x;key=hunter2": 401, "/sse?token=hunter2": 401, "/ssex/?token=hunter2": 401,
		"/sse/stream?token=hunter2": 200, "/api?keys=hunter2": 200, "/api?Token=hunter2": 200, "/api": 200,
		"/peer?token=hunter2": 200, "/sse/peer?token=hunter2": 200, "/peer/?token=hunter2": 401,
	} {
		w := ask(engine, http.MethodGet, address, nil)
		if w.Code != want || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %d %s, want %d", address, w.Code, w.Body, want)
		}
	}
	if strings.Contains(buf.String(), "hunter2") || strings.Count(buf.String(), "msg=request") != 17 {
		t.Errorf("the log: %s", buf.String())
	}
}

// TestWholeQuery: what cannot be read of a query is refused, not passed over.
func TestWholeQuery(t *testing.T) {
	t.Parallel()
	engine := gin.New()
	engine.Use(WholeQuery(slog.New(slog.DiscardHandler)))
	engine.NoRoute(func(c *gin.Context) { c.Status(http.StatusOK) })
	for address, want := range map[string]int{
		"/api/v1/x?limit=%zz": 422, "/api/v1/x?limit=1;": 422, "/api/v1/x?a=b&%zz=1": 422, "/sse/stream?event=lock;": 422,
		"/sse/stream?token=%zz": 401, "/sse/stream?a;token=b": 401,
		"/api/v1/x?limit=1": 200, "/api/v1/x?q=%3B%25": 200, "/api/v1/x?q=&&a": 200, "/sse/stream?last_event_id=%zz": 200, "/inbox?q=100%": 200,
	} {
		if w := ask(engine, http.MethodGet, address, nil); w.Code != want {
			t.Errorf("%s: %d %s, want %d", address, w.Code, w.Body, want)
		}
	}
}

// TestRecover: what was panicked with goes to the log; an answer that has begun is not written into.
func TestRecover(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	engine := gin.New()
	engine.Use(Recover(slog.New(slog.NewTextHandler(&buf, nil))))
	engine.GET("/at-once", func(*gin.Context) { panic("secret cause") })
	engine.GET("/begun", func(c *gin.Context) { c.String(http.StatusOK, "begun"); panic("secret cause") })
	engine.GET("/abort", func(*gin.Context) { panic(http.ErrAbortHandler) })
	if w := ask(engine, http.MethodGet, "/at-once", nil); w.Code != 500 || !strings.Contains(w.Body.String(), `"internal"`) || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(engine, http.MethodGet, "/begun", nil); w.Body.String() != "begun" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if strings.Count(buf.String(), "secret cause") < 2 {
		t.Errorf("the log: %s", buf.String())
	}
	defer func() {
		if recover() != http.ErrAbortHandler { //nolint:errorlint // a sentinel that is panicked with, never wrapped
			t.Error("an aborted answer was taken for a fault")
		}
	}()
	ask(engine, http.MethodGet, "/abort", nil)
}
