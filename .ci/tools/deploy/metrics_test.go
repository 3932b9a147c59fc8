package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"
)

// metric is a row of the table in docs/metrics.md, which a test of the server's holds to what a running one gives.
type metric struct {
	histogram bool
	labels    []string
}

var row = regexp.MustCompile("(?m)^\\| `(belfry_[a-z_0-9]+)` \\| (counter|gauge|histogram) \\| (.*?) \\| ")

func documented(t *testing.T) (text string, metrics map[string]metric) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(root, "docs/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	metrics = map[string]metric{}
	for _, m := range row.FindAllStringSubmatch(string(file), -1) {
		metrics[m[1]] = metric{m[2] == "histogram", strings.FieldsFunc(m[3], func(r rune) bool { return strings.ContainsRune("`, ", r) })}
	}
	if len(metrics) < 30 {
		t.Fatalf("%d metrics in the table", len(metrics))
	}
	return string(file), metrics
}

// faults tells what is wrong with a query: Prometheus does not take it, or it asks for what there is not.
func faults(query string, metrics map[string]metric) (list []string) {
	query = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(query)
	expr, err := parser.ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		list = append(list, selectorFaults(selector, metrics, by(path))...)
		return nil
	})
	return list
}

// by is the labels that an aggregation around a selector asks for.
func by(path []parser.Node) (labels []string) {
	for _, node := range path {
		if a, ok := node.(*parser.AggregateExpr); ok && !a.Without {
			labels = append(labels, a.Grouping...)
		}
	}
	return labels
}

func selectorFaults(s *parser.VectorSelector, metrics map[string]metric, used []string) (list []string) {
	if !strings.HasPrefix(s.Name, "belfry_") {
		if s.Name != "up" && !strings.HasPrefix(s.Name, "process_") {
			return []string{"no metric of ours: " + s.Name}
		}
		return nil
	}
	m, known := metrics[s.Name]
	labels := append([]string{"instance", "job"}, m.labels...)
	if base, bucket := strings.CutSuffix(s.Name, "_bucket"); bucket {
		m, known = metrics[base]
		known, labels = known && m.histogram, append([]string{"instance", "job", "le"}, m.labels...)
	} else if m.histogram {
		known = false // it has no series of that name
	}
	if !known {
		return []string{"there is no metric " + s.Name}
	}
	for _, matcher := range s.LabelMatchers {
		if matcher.Name != "__name__" {
			used = append(used, matcher.Name)
		}
	}
	for _, label := range used {
		if !slices.Contains(labels, label) {
			list = append(list, s.Name+" has no label "+label)
		}
	}
	return list
}

// TestQueriesAreFoundWrong: what the two tests below rely on.
func TestQueriesAreFoundWrong(t *testing.T) {
	_, metrics := documented(t)
	for query, right := range map[string]bool{
		"rate(belfry_deliveries_total[5m])": true, `belfry_sessions{state="active"}`: true, "sum by (reason) (belfry_resets_total)": true,
		"histogram_quantile(0.99, sum by (le) (rate(belfry_delivery_lag_seconds_bucket[5m])))": true,
		"rate(belfry_deliveries_total[5m]": false, "belfry_nothing_total": false, `belfry_sessions{status="active"}`: false, "sum by (at) (belfry_resets_total)": false,
		"belfry_delivery_lag_seconds": false, "belfry_deliveries_total_bucket": false, "node_load1": false,
	} {
		if list := faults(query, metrics); (len(list) == 0) != right {
			t.Errorf("%s: %v", query, list)
		}
	}
}

// TestAlerts: each rule is one that Prometheus can evaluate, about metrics that there are, and says what to do.
func TestAlerts(t *testing.T) {
	text, metrics := documented(t)
	file, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(file, &rules); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			seen++
			for _, fault := range faults(r.Expr, metrics) {
				t.Errorf("%s: %s", r.Alert, fault)
			}
			if r.Annotations["summary"] == "" || !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) || r.For == "" {
				t.Errorf("%s: %+v", r.Alert, r)
			}
			if r.Annotations["runbook_url"] != "docs/metrics.md#"+strings.ToLower(r.Alert) || !strings.Contains(text, "\n### "+r.Alert+"\n") {
				t.Errorf("%s: nobody is told what to do: %s", r.Alert, r.Annotations["runbook_url"])
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d rules", seen)
	}
}

// TestDashboard: each panel asks for what there is, and none lies over another.
func TestDashboard(t *testing.T) {
	_, metrics := documented(t)
	file, err := os.ReadFile(filepath.Join(root, "deploy/grafana/belfry.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(file, &board); err != nil {
		t.Fatal(err)
	}
	places := map[[2]int]string{}
	for _, p := range board.Panels {
		if len(p.Targets) == 0 || p.Title == "" {
			t.Errorf("panel %d shows nothing", p.ID)
		}
		for _, target := range p.Targets {
			for _, fault := range faults(target.Expr, metrics) {
				t.Errorf("%s: %s", p.Title, fault)
			}
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := places[[2]int{x, y}]; taken || x >= 24 {
					t.Errorf("%s lies over %s", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
	}
	if len(board.Panels) < 12 {
		t.Errorf("%d panels", len(board.Panels))
	}
}
