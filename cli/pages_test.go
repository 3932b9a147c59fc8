package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are the README and what it leads to.
func pages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d pages: %v", len(files), err)
	}
	names := []string{"README.md"}
	for _, file := range files {
		names = append(names, "docs/"+filepath.Base(file))
	}
	return names
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fence    = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```$")
	indented = regexp.MustCompile(`(?m)(?:^    .*\n|^\n    .*\n)+`)
	margin   = regexp.MustCompile(`(?m)^    `)
)

// blocksOf are the blocks of code of a page, without their fences and margins.
func blocksOf(text string) (blocks []string) {
	for _, found := range fence.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, found[1])
	}
	for _, found := range indented.FindAllString(fence.ReplaceAllString(text, ""), -1) {
		blocks = append(blocks, margin.ReplaceAllString(strings.TrimLeft(found, "\n"), ""))
	}
	return blocks
}

// shown is the one block of a page that begins so.
func shown(t *testing.T, page, beginning string) string {
	t.Helper()
	var found []string
	for _, block := range blocksOf(readPage(t, page)) {
		if strings.HasPrefix(block, beginning) {
			found = append(found, block)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s shows %d blocks that begin with %q", page, len(found), beginning)
	}
	return found[0]
}

// shownBlocks says of each block on the pages which test runs it, or, in words, why none does. The test is named by its file and,
// of Go, its function.
var shownBlocks = []struct{ page, beginning, by string }{
	{"README.md", "make run", "web/e2e/readme.spec.ts"},
	{"README.md", "export BELFRY_URL=", "cli/pages_run_test.go TestPagesOfSenders"},
	{"README.md", "BELFRY_SESSION_IDLE=20s make run", "web/e2e/readme.spec.ts"},
	{"README.md", "make test", "runs this test"},
	{"README.md", "BELFRY_PUBLIC_URL=", "cli/pages_run_test.go TestShownSettings"},
	{"README.md", "belfry user add", "cli/pages_run_test.go TestPeoplePage"},
	{"README.md", "curl https://belfry.example/api/v1/notices \\", "cli/pages_run_test.go TestPagesOfSenders"},
	{"README.md", "const stream = ", "bench/conformance/usual_test.go TestPauseIsKept"},
	{"README.md", "belfry run --task", "cli/pages_run_test.go TestPagesOfSenders"},
	{"README.md", "<script type=\"module\" src=\"", "web/e2e/embedding.spec.ts"},
	{"README.md", "make verify-faults MINUTES=5", "bench/faults/verify_test.go TestFaults"},

	{"docs/run.md", "make run", "web/e2e/readme.spec.ts"},
	{"docs/run.md", "make build", "what make test begins with"},
	{"docs/run.md", "bin/belfry user add", "cli/pages_run_test.go TestRunPage"},
	{"docs/run.md", "BELFRY_LISTEN=:8443", "cli/pages_run_test.go TestRunPage"},

	{"docs/configure.md", "BELFRY_PUBLIC_URL=", "cli/pages_run_test.go TestShownSettings"},

	{"docs/people.md", "belfry user add", "cli/pages_run_test.go TestPeoplePage"},
	{"docs/people.md", "username,", "cli/pages_run_test.go TestPeoplePage"},
	{"docs/people.md", "belfry user import", "cli/pages_run_test.go TestPeoplePage"},

	{"docs/integrate.md", "BELFRY_URL=", "cli/pages_run_test.go TestShownSettings"},
	{"docs/integrate.md", "# send.sh", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "# ticket.sh", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "# clock.sh", "cli/listening_test.go TestListening"},
	{"docs/integrate.md", "# listen.sh", "cli/listening_test.go TestListening"},
	{"docs/integrate.md", "# follow.sh", "cli/listening_test.go TestListening"},
	{"docs/integrate.md", "# task.sh", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "# belfry.py", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "# words.py", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "# listen.py", "cli/listening_test.go TestListening"},
	{"docs/integrate.md", "# views.py", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "# management/commands/listen_to_belfry.py", "cli/listening_test.go TestListening"},
	{"docs/integrate.md", "// belfry.mjs", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "// main.go", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "// Belfry.java", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "// TicketController.java", "cli/integrate_test.go TestSnippets"},
	{"docs/integrate.md", "// Listener.java", "cli/listening_test.go TestListening"},
	{"docs/integrate.md", "curl https://belfry.example/api/v1/notices/batch \\", "cli/pages_run_test.go TestPagesOfSenders"},
	{"docs/integrate.md", "AUTH=", "cli/pages_run_test.go TestPagesOfSenders"},
	{"docs/integrate.md", "{\"type\": \"session.locked\"", "services/webhooks_test.go TestWebhookFollowsASession"},

	{"docs/senders.md", "belfry key create backup", "cli/pages_run_test.go TestSendersPage"},
	{"docs/senders.md", "curl http://localhost:8080/message", "cli/pages_run_test.go TestSendersPage"},
	{"docs/senders.md", "curl http://localhost:8080/alerts", "cli/pages_run_test.go TestSendersPage"},
	{"docs/senders.md", "receivers:", "it is Alertmanager's configuration; handlers/hooks_test.go makes its calls"},
	{"docs/senders.md", "belfry key create github", "cli/pages_run_test.go TestSendersPage"},
	{"docs/senders.md", "belfry key create ci", "cli/pages_run_test.go TestSendersPage"},
	{"docs/senders.md", "{\n", "cli/pages_run_test.go TestSendersPage"},

	{"docs/streams.md", "let last = ''", "bench/conformance/usual_test.go TestPauseIsKept"},
	{"docs/streams.md", "belfry doctor", "cli/pages_run_test.go TestStreamsPage"},

	{"docs/embedding.md", "<script type=\"module\" src=\"", "web/e2e/embedding.spec.ts"},
	{"docs/embedding.md", "belfry key create shop", "cli/pages_run_test.go TestEmbeddingPage"},
	{"docs/embedding.md", "curl -X POST", "cli/pages_run_test.go TestPagesOfSenders"},
	{"docs/embedding.md", "<belfry-bell src=", "web/e2e/examples.spec.ts"},
	{"docs/embedding.md", "<style>", "web/e2e/embedding.spec.ts"},
	{"docs/embedding.md", "belfry-bell { ", "a taste of it; nothing depends on it"},

	{"docs/design.md", "flowchart", "a drawing"},
	{"docs/design.md", "sequenceDiagram", "a drawing"},
	{"docs/design.md", "stateDiagram-v2", "a drawing"},

	{"docs/operate.md", "name=belfry.example", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "apt-get install", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "install -d -m 0700", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "install belfry", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "set -a;", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "cp nginx.conf", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "belfry doctor", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "deploy/make-secrets", "needs containers; .ci/tools/deploy reads what they are made of as Compose does"},
	{"docs/operate.md", "kubectl", "needs a cluster; .ci/tools/deploy reads the manifests as Kubernetes does"},
	{"docs/operate.md", "nginx.ingress.kubernetes.io", "needs a cluster"},
	{"docs/operate.md", "OTEL_EXPORTER_OTLP_ENDPOINT", "cli/tracing_test.go TestTraces"},
	{"docs/operate.md", "(umask 077 && su postgres", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "systemctl stop belfry", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "(umask 077 && sqlite3", ".ci/tools/release/install_test.go TestInstallAsDocumented"},
	{"docs/operate.md", "make bench-capacity", "bench/capacity/capacity_test.go TestFind"},
	{"docs/metrics.md", "scrape_configs:", "it is Prometheus' configuration"},

	{"docs/limits.md", "make verify-abuse", "bench/abuse/abuse_test.go TestVerify"},
	{"docs/faults.md", "make verify-faults", "bench/faults/verify_test.go TestPageNamesFaults"},
	{"docs/performance.md", "make bench", "bench/compare/compare_test.go TestPage"},
}

// TestEveryBlockIsRun: no page shows code that nobody tries.
func TestEveryBlockIsRun(t *testing.T) {
	used := make([]bool, len(shownBlocks))
	for _, page := range pages(t) {
		for _, block := range blocksOf(readPage(t, page)) {
			i := slices.IndexFunc(shownBlocks, func(s struct{ page, beginning, by string }) bool {
				return s.page == page && strings.HasPrefix(block, s.beginning)
			})
			if i < 0 {
				t.Errorf("%s: nobody runs\n%s", page, block)
				continue
			}
			used[i] = true
		}
	}
	for i, s := range shownBlocks {
		if !used[i] {
			t.Errorf("%s shows no more what begins with %q", s.page, s.beginning)
		}
		file, function, _ := strings.Cut(s.by, " ")
		if !strings.Contains(file, "/") {
			continue // words
		}
		text, err := os.ReadFile(filepath.Join("..", file))
		if err != nil || (strings.HasPrefix(function, "Test") && !strings.Contains(string(text), "\nfunc "+function+"(")) {
			t.Errorf("%s: there is no test %s: %v", s.page, s.by, err)
		}
	}
}
