package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	r3labs "github.com/r3labs/sse/v2"
	gosse "github.com/tmaxmax/go-sse"

	"belfry/bench/server"
	"belfry/bench/stream"
)

// client is one of the clients of this field. start lets it follow the notices of a user until the
// test ends, through an address that is Belfry's or, for browsers, that of a host application.
type client struct {
	name, version string
	// takesIDEarly says that it takes the id of an event that has not come to its end.
	takesIDEarly bool
	page         bool
	start        func(t *testing.T, base string, as *server.Caller, each func(event))
}

func clients(t *testing.T) []client {
	chromium, chromiumVersion := browser(t, "chromium", "chromium-browser", "google-chrome")
	firefox, firefoxVersion := browser(t, "firefox-esr", "firefox")
	return []client{
		{name: "r3labs/sse", version: moduleVersion(t, "github.com/r3labs/sse/v2"), takesIDEarly: true, start: startR3labs},
		{name: "tmaxmax/go-sse", version: moduleVersion(t, "github.com/tmaxmax/go-sse"), start: startGoSSE},
		{name: "npm eventsource", version: versionOf(t, "eventsource"), start: startScript("eventsource")},
		{name: "npm eventsource-parser", version: versionOf(t, "eventsource-parser"), start: startScript("eventsource-parser")},
		{name: "npm fetch-event-source", version: versionOf(t, "@microsoft/fetch-event-source"), takesIDEarly: true, start: startScript("fetch-event-source")},
		{name: "Chromium", version: chromiumVersion, page: true, start: startBrowser("chromium", chromium)},
		{name: "Firefox", version: firefoxVersion, page: true, start: startBrowser("firefox", firefox)},
	}
}

// moduleVersion is that of a module which these tests are built with.
func moduleVersion(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// maxEvent is more than the longest notice, whose text may be six times as long once it is escaped.
const maxEvent = 1 << 20

func startR3labs(t *testing.T, base string, as *server.Caller, each func(event)) {
	c := r3labs.NewClient(base+"/sse/stream", r3labs.ClientMaxBufferSize(maxEvent))
	c.Headers["Cookie"] = as.Cookie
	run(t, func(ctx context.Context) error {
		return c.SubscribeRawWithContext(ctx, func(e *r3labs.Event) {
			each(event{ID: string(e.ID), Type: string(e.Event), Data: string(e.Data)})
		})
	})
}

func startGoSSE(t *testing.T, base string, as *server.Caller, each func(event)) {
	run(t, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/sse/stream", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Cookie", as.Cookie)
		connection := gosse.NewConnection(request)
		connection.Buffer(nil, maxEvent)
		connection.SubscribeToAll(func(e gosse.Event) { each(event{ID: e.LastEventID, Type: e.Type, Data: e.Data}) })
		return connection.Connect()
	})
}

// startStrict follows by this repository's own reader, which repairs nothing.
func startStrict(t *testing.T, base string, as *server.Caller, each func(event)) {
	run(t, func(ctx context.Context) error {
		reader := stream.New(base, "/sse/stream", as.Cookie)
		return reader.Follow(ctx, func(e stream.Event) bool {
			each(event{ID: e.ID, Type: e.Name, Data: e.Data})
			return true
		})
	})
}

// run runs a client of this process until the test ends.
func run(t *testing.T, follow func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- follow(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the client gave up: %v", err)
		}
	})
}

func startScript(name string) func(*testing.T, string, *server.Caller, func(event)) {
	return func(t *testing.T, base string, as *server.Caller, each func(event)) {
		direct := *as // the ticket is minted past the proxy that cuts
		script(t, each, name, base+"/sse/stream", direct.Ticket(t))
	}
}

func startBrowser(name, program string) func(*testing.T, string, *server.Caller, func(event)) {
	return func(t *testing.T, base string, _ *server.Caller, each func(event)) {
		script(t, each, "browser", page(base, "eventsource", "user", reader, "password", server.Password), name, program)
	}
}
