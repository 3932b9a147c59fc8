package handlers_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"belfry/internal/testpg"
	"belfry/models"
)

// scrape is what the internal listener gives to Prometheus: its text, and each sample's value by name and labels.
type scrape struct {
	text    string
	samples map[string]float64
}

func (s *site) scrape() scrape {
	s.Helper()
	w := httptest.NewRecorder()
	s.internal.ServeHTTP(w, httptest.NewRequestWithContext(s.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		s.Fatalf("/metrics: %d: %s", w.Code, w.Body)
	}
	read := scrape{w.Body.String(), map[string]float64{}}
	for line := range strings.Lines(read.text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := cutLast(strings.TrimSpace(line), " ")
		n, err := strconv.ParseFloat(value, 64)
		if !found || err != nil {
			s.Fatalf("no sample: %q", line)
		}
		read.samples[name] = n
	}
	return read
}

func cutLast(text, sep string) (before, after string, found bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(sep):], true
}

// measures waits until these samples have these values.
func (s *site) measures(want map[string]float64) {
	s.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		seen, wrong := s.scrape(), []string(nil)
		for name, value := range want {
			if got, there := seen.samples[name]; !there || got != value {
				wrong = append(wrong, name+" is "+strconv.FormatFloat(got, 'g', -1, 64)+", want "+strconv.FormatFloat(value, 'g', -1, 64))
			}
		}
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			slices.Sort(wrong)
			s.Fatalf("%s", strings.Join(wrong, "\n"))
		}
	}
}

// TestMetrics: what happens is counted, each thing once and under its name.
func TestMetrics(t *testing.T) {
	onEach(t, func(set *settings) { set.rate = models.Rate{Count: 3, Per: time.Hour}; set.streams.PerUser = 2 }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		anna := s.login("anna")
		st := anna.stream("/sse/stream")
		st.hello("active", "")
		s.notify("anna")
		st.want("notice")
		s.measures(map[string]float64{
			"belfry_streams_open": 1, "belfry_other_streams_open": 0, `belfry_stream_openings_total{result="opened"}`: 1,
			"belfry_deliveries_total": 1, "belfry_deliveries_queued_total": 1, "belfry_deliveries_replayed_total": 0, "belfry_deliveries_waiting": 0,
			"belfry_delivery_lag_seconds_count": 1, `belfry_delivery_lag_seconds_bucket{le="30"}`: 1, `belfry_log_entries_total{kind="notice"}`: 1,
			"belfry_publish_duration_seconds_count": 1, "belfry_commit_entries_sum": 1, "belfry_entries_waiting": 0,
			`belfry_sessions{state="active"}`: 1, `belfry_sessions{state="locked"}`: 0, "belfry_database_up": 1, "belfry_gaps_total": 0,
			`belfry_http_requests_total{method="GET",route="/sse/stream",status="200"}`:    1,
			`belfry_http_requests_total{method="POST",route="/api/v1/login",status="200"}`: 1,
		})
		anna.post("/api/v1/session/lock", nil).want(200)
		st.lock("locked", "manual")
		s.notify("anna")
		anna.post("/api/v1/session/unlock", map[string]any{"password": "wrong"}).want(401)
		anna.take(anna.post("/api/v1/session/unlock", map[string]any{"password": password}).want(200))
		st.lock("active", "")
		st.want("notice")
		reset := anna.stream("/sse/stream?last_event_id=elsewhere-1")
		reset.hello("active", "")
		reset.want("reset")
		anna.stream("/sse/stream").want("pause")
		anna.get("/api/v1/nothing/" + strings.Repeat("x", 20)).want(404)
		s.nobody().do("BREW", "/api/v1/notices", nil).want(405)
		s.nobody().get("/sse/stream").want(401)
		for range 3 {
			s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": "wrong"}).want(401)
		}
		s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": "wrong"}).want(429)
		s.measures(map[string]float64{
			"belfry_streams_open": 2, "belfry_deliveries_total": 2, "belfry_deliveries_replayed_total": 1, "belfry_delivery_lag_seconds_count": 1,
			"belfry_replay_entries_count": 1, "belfry_replay_entries_sum": 1, "belfry_lock_lag_seconds_count": 1,
			`belfry_session_changes_total{state="locked"}`: 1, `belfry_session_changes_total{state="active"}`: 1,
			`belfry_resets_total{reason="epoch"}`: 1, `belfry_resets_total{reason="trimmed"}`: 0, `belfry_evictions_total{reason="overflow"}`: 0,
			`belfry_stream_openings_total{result="limit"}`: 1, `belfry_throttled_total{limit="streams_per_user"}`: 1, `belfry_stream_openings_total{result="refused"}`: 1,
			`belfry_login_failures_total{at="sign_in"}`: 3, `belfry_login_failures_total{at="unlock"}`: 1,
			`belfry_throttled_total{limit="account"}`: 1, `belfry_throttled_total{limit="key"}`: 0,
			`belfry_http_requests_total{method="other",route="other",status="405"}`: 1, `belfry_http_requests_total{method="GET",route="other",status="404"}`: 1,
			`belfry_webhook_attempts_total{outcome="arrived"}`: 0, `belfry_push_attempts_total{outcome="sent"}`: 0, "belfry_task_log_bytes_total": 0,
		})
	})
}

// TestMetricsKeepTheConventions of Prometheus for names, units and texts, and no label of ours can be made more of from
// outside.
func TestMetricsKeepTheConventions(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.nobody().do("BREW", "/api/v1/%2e%2e/"+strings.Repeat("x", 50), nil)
		seen := s.scrape()
		problems, err := promlint.New(strings.NewReader(seen.text)).Lint()
		if err != nil {
			s.Fatal(err)
		}
		for _, p := range problems {
			s.Errorf("%s: %s", p.Metric, p.Text)
		}
		for _, sample := range slices.Sorted(maps.Keys(seen.samples)) {
			if strings.Contains(sample, "BREW") || strings.Contains(sample, "xxx") {
				s.Errorf("a label of the caller's: %s", sample)
			}
		}
	})
}

// TestMetricsWithoutDatabase: what is in memory is told all the same, and that the database is away.
func TestMetricsWithoutDatabase(t *testing.T) {
	onEach(t, nil, func(s *site) {
		if err := s.db.Close(); err != nil {
			s.Fatal(err)
		}
		seen := s.scrape()
		if up, told := seen.samples["belfry_database_up"]; !told || up != 0 {
			s.Errorf("the database is away, and belfry_database_up is %v", up)
		}
		for _, name := range []string{"belfry_streams_open", "belfry_deliveries_total", "belfry_log_head"} {
			if _, told := seen.samples[name]; !told {
				s.Errorf("%s is not told", name)
			}
		}
		if _, told := seen.samples[`belfry_sessions{state="active"}`]; told {
			s.Error("sessions are counted by a database that is away")
		}
	})
}

var documentedRow = regexp.MustCompile("(?m)^\\| `(belfry_[a-z_0-9]+)` \\| (counter|gauge|histogram) \\| (.*?) \\| (.*) \\|$")

// TestMetricsAreDocumented: the table in docs/metrics.md, which dashboard and alert rules are held to, is what a running server
// gives, each with its type, its labels and what it says of itself.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	s := newSite(t, testpg.Database(t), nil)
	s.nobody().get("/api/v1/login").want(200)
	given, help, labels := map[string]string{}, map[string]string{}, map[string]map[string]bool{}
	for line := range strings.Lines(s.scrape().text) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 4)
		switch {
		case fields[0] == "#" && fields[1] == "HELP":
			help[fields[2]] = fields[3]
		case fields[0] == "#":
			given[fields[2]], labels[fields[2]] = fields[3], map[string]bool{}
		default:
			name, rest, _ := strings.Cut(strings.TrimSpace(line), "{")
			name, _, _ = strings.Cut(name, " ")
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base := strings.TrimSuffix(name, suffix); given[base] == "histogram" {
					name = base
				}
			}
			for _, m := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(rest, -1) {
				if m[1] != "le" {
					labels[name]["`"+m[1]+"`"] = true
				}
			}
		}
	}
	file, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range documentedRow.FindAllStringSubmatch(string(file), -1) {
		name := m[1]
		told[name] = true
		if got := strings.Join(slices.Sorted(maps.Keys(labels[name])), ", "); given[name] != m[2] || help[name] != m[4] || got != m[3] {
			t.Errorf("%s is told to be a %s with %s, %q; it is a %s with %s, %q", name, m[2], m[3], m[4], given[name], got, help[name])
		}
	}
	for name := range given {
		if strings.HasPrefix(name, "belfry_") && !told[name] {
			t.Errorf("%s is not told of", name)
		}
	}
}
