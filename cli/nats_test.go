package cli

import (
	"bufio"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"belfry/client"
	"belfry/internal/testpg"
)

func startNATS(t *testing.T) *natsserver.Server {
	t.Helper()
	server, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(func() { server.Shutdown(); server.WaitForShutdown() })
	if !server.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	return server
}

// TestNodesAnnounceThroughNATS runs two nodes, and brings to a stream of the one what is published on the
// other. PostgreSQL carries no hint.
func TestNodesAnnounceThroughNATS(t *testing.T) {
	bus := startNATS(t)
	s := shell{t, []string{"BELFRY_DATABASE_URL=" + testpg.Database(t), "BELFRY_NATS_URL=" + bus.ClientURL()}}
	s.ok("battery staple", "user", "add", "bert", "--password-stdin")
	key := strings.TrimSpace(s.ok("", "key", "create", "ci", "--scope", "notices:write"))
	here, there := s.serving(), s.serving()
	for _, node := range []string{here, there} {
		waitFor(t, "hints", func() bool { return strings.Contains(body(t, http.DefaultClient, node+"/readyz"), `"hints":"ok"`) })
	}
	browser, _ := signIn(t, there, "bert", "battery staple")
	events := openStream(t, browser, there+"/sse/notice")
	events.until("event: hello")
	before := bus.NumSubscriptions()
	c, err := client.New(here, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, title := range []string{"first", "second"} {
		if _, err := c.Publish(t.Context(), client.Notice{To: client.To{Users: []string{"bert"}}, Title: title}); err != nil {
			t.Fatal(err)
		}
		events.until(`"title":"` + title + `"`)
	}
	if before < 2 {
		t.Errorf("%d subscriptions", before)
	}
	db := s.open()
	defer db.Close()
	var listening int
	if err := db.Read.Raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE '%belfry_log%' AND pid <> pg_backend_pid()").
		Scan(&listening).Error; err != nil || listening != 0 {
		t.Errorf("%d connections listen on PostgreSQL, %v", listening, err)
	}
	bus.Shutdown()
	waitFor(t, "the end of hints", func() bool {
		return strings.Contains(body(t, http.DefaultClient, there+"/readyz"), `"hints":"polling"`)
	})
	if _, err := c.Publish(t.Context(), client.Notice{To: client.To{Users: []string{"bert"}}, Title: "third"}); err != nil {
		t.Fatal(err)
	}
	events.until(`"title":"third"`)
}

// TestSettingsOfNATS: a file that is not there stops the start, a server that is not there does not.
func TestSettingsOfNATS(t *testing.T) {
	s := sqliteShell(t)
	missing := filepath.Join(t.TempDir(), "none")
	s.environ = append(s.environ, "BELFRY_NATS_URL=nats://127.0.0.1:1")
	for _, name := range []string{"creds", "ca"} {
		r := s.run("", "serve", "--listen", "127.0.0.1:0", "--nats-"+name, missing)
		if r.code != exitUsage || strings.Contains(r.err, missing) || !strings.Contains(r.err, "cannot be read") {
			t.Errorf("%s: exit %d\n%s", name, r.code, r.err)
		}
	}
	url := s.serving()
	if text := body(t, http.DefaultClient, url+"/readyz"); !strings.Contains(text, `"hints":"polling"`) {
		t.Errorf("%s", text)
	}
}

func body(t *testing.T, by *http.Client, url string) string {
	t.Helper()
	resp, err := by.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// events is an open stream, line by line.
type events struct {
	t     *testing.T
	lines chan string
}

func openStream(t *testing.T, by *http.Client, url string) *events {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := by.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	e := &events{t, make(chan string, 1_000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(e.lines)
		for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
			e.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() { cancel(); _ = resp.Body.Close(); <-done })
	return e
}

// until reads on to a line that holds the text.
func (e *events) until(text string) {
	e.t.Helper()
	waitFor(e.t, text, func() bool {
		for {
			select {
			case line, open := <-e.lines:
				if !open {
					e.t.Fatalf("the stream ended where %q was due", text)
				}
				if strings.Contains(line, text) {
					return true
				}
			default:
				return false
			}
		}
	})
}
