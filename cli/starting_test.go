package cli

import (
	"database/sql"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/pressly/goose/v3/lock"

	"belfry/internal/testpg"
)

// holdMigrations keeps every node waiting that wants to migrate, as one does that is at it.
func holdMigrations(t *testing.T, address string) (release func()) {
	t.Helper()
	pool, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "SELECT pg_advisory_lock($1)", lock.DefaultLockID); err != nil {
		t.Fatal(err)
	}
	release = func() { _ = conn.Close(); _ = pool.Close() } // the lock goes with its session
	t.Cleanup(release)
	return release
}

// answer asks once and gives what came.
func answer(t *testing.T, method, url string, headers ...string) (status int, header http.Header, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(read)
}

// TestAnswersDuringMigration holds up the migration of a node: it says at once that it lives and is not
// ready, and when the way is free it serves.
func TestAnswersDuringMigration(t *testing.T) {
	address := testpg.Database(t)
	release := holdMigrations(t, address)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	internal := "http://" + free.Addr().String()
	_ = free.Close()
	s := shell{t, []string{"BELFRY_DATABASE_URL=" + address, "BELFRY_CORS_ORIGINS=https://app.example"}}
	url, _ := s.start("--internal-listen", strings.TrimPrefix(internal, "http://"))
	for _, at := range []string{url, internal} {
		waitFor(t, "an answer", func() bool {
			resp, err := http.Get(at + "/livez")
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		})
		if status, _, text := answer(t, "GET", at+"/readyz"); status != http.StatusServiceUnavailable ||
			!strings.Contains(text, `"parts":{`) || !strings.Contains(text, `"database":"migrating"`) {
			t.Errorf("readyz: %d %s", status, text)
		}
	}
	for _, request := range []string{"GET /", "GET /api/v1/session", "POST /api/v1/notices", "GET /nothing", "POST /livez"} {
		method, path, _ := strings.Cut(request, " ")
		status, header, text := answer(t, method, url+path)
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") != "2" || !strings.HasPrefix(header.Get("Content-Type"), "application/problem+json") ||
			!strings.Contains(text, `"code":"unavailable"`) {
			t.Errorf("%s: %d %v %s", request, status, header, text)
		}
	}
	for _, path := range []string{"/sse/stream", "/sse/lock?token=x", "/sse/clock"} {
		status, header, text := answer(t, "GET", url+path, "Origin", "https://app.example")
		if status != http.StatusOK || header.Get("Content-Type") != "text/event-stream" || header.Get("X-Accel-Buffering") != "no" ||
			header.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(text, "event: pause\n") || !strings.Contains(text, "retry: ") {
			t.Errorf("%s: %d %v %s", path, status, header, text)
		}
	}
	if status, header, text := answer(t, "GET", url+"/sse/stream", "X-Belfry-Balancer", "1"); status != http.StatusServiceUnavailable ||
		header.Get("Retry-After") != "2" || !strings.Contains(text, `"code":"unavailable"`) {
		t.Errorf("to a balancer: %d %v %s", status, header, text)
	}
	release()
	awaitReady(t, url)
	for at, want := range map[string]int{url + "/api/v1/session": http.StatusUnauthorized, url + "/sse/stream": http.StatusUnauthorized, internal + "/metrics": http.StatusOK} {
		if status, _, text := answer(t, "GET", at); status != want {
			t.Errorf("%s, when ready: %d %s", at, status, text)
		}
	}
}

// TestStoppedDuringMigration: told to stop before it has begun, a node ends well.
func TestStoppedDuringMigration(t *testing.T) {
	address := testpg.Database(t)
	holdMigrations(t, address)
	url, stop := shell{t, []string{"BELFRY_DATABASE_URL=" + address}}.start()
	waitFor(t, "an answer", func() bool {
		resp, err := http.Get(url + "/livez")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return true
	})
	stop()
}
