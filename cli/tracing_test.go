package cli

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is where traces are sent to.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*collectorpb.ExportTraceServiceRequest
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &collectorpb.ExportTraceServiceRequest{}
		if err == nil {
			err = proto.Unmarshal(body, request)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Tenant") != "belfry" {
			t.Errorf("%s %v: %v", r.URL, r.Header, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests = append(c.requests, request)
	}))
	t.Cleanup(c.Close)
	return c
}

// of gives the spans of a trace by their names, and all that was sent as text.
func (c *collector) of(trace string) (spans map[string]*tracepb.Span, sent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	spans = map[string]*tracepb.Span{}
	for _, request := range c.requests {
		sent += request.String()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					if hex.EncodeToString(span.TraceId) == trace {
						spans[span.Name] = span
					}
				}
			}
		}
	}
	return spans, sent
}

// The trace that the test's calls belong to, and one whose caller does not want it.
const (
	testTrace   = "0af7651916cd43dd8448eb211c80319c"
	testSpan    = "b7ad6b7169203331"
	quietTrace  = "ffffffff16cd43dd8448eb211c80319c"
	traceTitle  = "Canary of a title"
	traceSecret = "correct horse battery staple"
)

// traced is a server with an admin, a stream of theirs and a webhook.
type traced struct {
	*testing.T
	url    string
	root   *http.Client
	lines  *bufio.Scanner // of the stream
	hooked chan string    // the traceparent of each message to the webhook
}

func newTraced(t *testing.T, s shell) (site *traced, stop func()) {
	t.Helper()
	site = &traced{T: t, hooked: make(chan string, 10)}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { site.hooked <- r.Header.Get("Traceparent") }))
	t.Cleanup(receiver.Close)
	s.environ = append(s.environ, "BELFRY_ADMIN_USER=canaryroot", "BELFRY_ADMIN_PASSWORD="+traceSecret)
	site.url, stop = s.start()
	awaitReady(t, site.url)
	site.root, _ = signIn(t, site.url, "canaryroot", traceSecret)
	site.post("/api/v1/webhooks", "", fmt.Sprintf(`{"url": %q, "events": ["session.locked"]}`, receiver.URL), http.StatusCreated)
	resp, err := site.root.Get(site.url + "/sse/notice")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	site.lines = bufio.NewScanner(resp.Body)
	site.await("event: lock")
	return site, stop
}

func (t *traced) post(path, parent, body string, want int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, t.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if parent != "" {
		request.Header.Set("traceparent", parent)
	}
	resp, err := t.root.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != want {
		t.Fatalf("%s: %d", path, resp.StatusCode)
	}
}

// await reads the stream up to a line.
func (t *traced) await(line string) {
	t.Helper()
	for t.lines.Scan() {
		if t.lines.Text() == line {
			return
		}
	}
	t.Fatalf("the stream ended before %q: %v", line, t.lines.Err())
}

// TestTraces follows a notice from its request to the stream, and a lock from its request to a webhook, in the trace that the caller
// is in; nothing in it names a person or tells what was sent.
func TestTraces(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=belfry")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	onEach(t, func(t *testing.T, s shell) {
		c.requests = nil
		site, stop := newTraced(t, s)
		notice := fmt.Sprintf(`{"to": {"users": ["canaryroot"]}, "title": %q}`, traceTitle)
		site.post("/api/v1/notices", "00-"+quietTrace+"-"+testSpan+"-00", notice, http.StatusCreated)
		site.await("event: notice")
		site.post("/api/v1/notices", "00-"+testTrace+"-"+testSpan+"-01", notice, http.StatusCreated)
		site.await("event: notice")
		site.post("/api/v1/session/lock", "00-"+testTrace+"-"+testSpan+"-01", "", http.StatusOK)
		parent := <-site.hooked
		var spans map[string]*tracepb.Span
		parents := map[string]string{"publish": "POST /api/v1/notices", "append": "publish", "webhook": "POST /api/v1/session/lock"}
		waitFor(t, "the spans", func() bool {
			spans, _ = c.of(testTrace)
			return !slices.ContainsFunc([]string{"POST /api/v1/notices", "publish", "append", "commit", "deliver", "POST /api/v1/session/lock", "webhook"},
				func(name string) bool { return spans[name] == nil })
		})
		for child, above := range parents {
			if string(spans[child].ParentSpanId) != string(spans[above].SpanId) && child != "webhook" {
				t.Errorf("%s is not under %s", child, above)
			}
		}
		if hex.EncodeToString(spans["POST /api/v1/notices"].ParentSpanId) != testSpan {
			t.Error("the request is not under its caller's span")
		}
		if want := "00-" + testTrace + "-" + hex.EncodeToString(spans["webhook"].SpanId) + "-01"; parent != want {
			t.Errorf("the webhook got %q, want %q", parent, want)
		}
		stop() // which sends the last
		quiet, sent := c.of(quietTrace)
		if len(quiet) != 0 {
			t.Errorf("a caller that wants no spans got %d", len(quiet))
		}
		for _, word := range []string{"canaryroot", traceTitle, traceSecret, s.databaseURL(), "cookie"} {
			if strings.Contains(sent, word) {
				t.Errorf("what was sent has %q", word)
			}
		}
		if !strings.Contains(sent, `"belfry"`) || !strings.Contains(sent, "service.instance.id") {
			t.Errorf("nothing says whose spans they are: %.300s", sent)
		}
	})
}

// TestTracePassesThrough: where no spans are wanted, a caller's trace goes on to the webhook as it came.
func TestTracePassesThrough(t *testing.T) {
	c := newCollector(t)
	for name, value := range map[string]string{"": "", "OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"} {
		t.Run(name+value, func(t *testing.T) {
			if name != "" {
				t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
				t.Setenv(name, value)
			}
			site, stop := newTraced(t, sqliteShell(t))
			site.post("/api/v1/session/lock", "00-"+testTrace+"-"+testSpan+"-01", "", http.StatusOK)
			if got := <-site.hooked; got != "00-"+testTrace+"-"+testSpan+"-01" {
				t.Errorf("the webhook got %q", got)
			}
			stop()
			if len(c.requests) != 0 {
				t.Error("spans were sent")
			}
		})
	}
}
