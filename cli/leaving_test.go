package cli

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLeavesInOrder: a node that was told to stop is not ready first, and goes on answering for as long as
// whoever sends requests to it needs to see that, though it has nothing to do. Each answer closes its connection.
func TestLeavesInOrder(t *testing.T) {
	s := sqliteShell(t)
	s.ok("battery staple", "user", "add", "bert", "--password-stdin")
	url, stop := s.start("--drain", "4s") // long enough for all that is asked in it
	awaitReady(t, url)
	browser, _ := signIn(t, url, "bert", "battery staple")
	stream := openStream(t, browser, url+"/sse/stream")
	stream.until("event: hello")
	if _, header, _ := answer(t, "GET", url+"/livez"); header.Get("Connection") != "" {
		t.Error("a connection is closed though nobody leaves")
	}
	began := time.Now()
	var stopping sync.WaitGroup
	stopping.Go(stop)
	defer stopping.Wait()
	waitFor(t, "readiness to end", func() bool { status, _, _ := answer(t, "GET", url+"/readyz"); return status != http.StatusOK })
	status, _, text := answer(t, "GET", url+"/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, `"process":"draining"`) || !strings.Contains(text, `"database":"ok"`) {
		t.Errorf("readyz: %d %s", status, text)
	}
	stream.until("event: pause")
	late := openStream(t, browser, url+"/sse/stream")
	late.until("event: pause")
	for path, want := range map[string]int{"/livez": http.StatusOK, "/api/v1/session": http.StatusUnauthorized} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || !resp.Close {
			t.Errorf("%s: %d, closes its connection: %v", path, resp.StatusCode, resp.Close)
		}
	}
	stopping.Wait()
	if took := time.Since(began); took < noticeTime {
		t.Errorf("it was gone after %v", took)
	}
	if _, err := http.Get(url + "/livez"); err == nil {
		t.Error("it still answers")
	}
}
