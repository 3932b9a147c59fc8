package cli

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"belfry/config"
	"belfry/services"
)

// quoted is what stands between backticks.
var quoted = regexp.MustCompile("`([^`\n]+)`")

// codeOf is all that a page shows as code: its blocks, line by line without comments, and what stands in backticks.
func codeOf(text string) (code []string) {
	for _, block := range blocksOf(text) {
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(line, " # ")
			code = append(code, strings.TrimSpace(line))
		}
	}
	for _, m := range quoted.FindAllStringSubmatch(indented.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
		code = append(code, m[1])
	}
	return code
}

// eachCode calls check with every piece of code of every page.
func eachCode(t *testing.T, check func(page, code string)) {
	t.Helper()
	for _, page := range pages(t) {
		for _, code := range codeOf(readPage(t, page)) {
			check(page, code)
		}
	}
}

// enough is how many names a test has to have looked at: one that finds none by a slip of its own would always pass.
func enough(t *testing.T, seen, least int) {
	t.Helper()
	if seen < least {
		t.Errorf("only %d were found on the pages", seen)
	}
}

// TestNamedTargets: what the pages have one make can be made, with the variables that they give.
func TestNamedTargets(t *testing.T) {
	makefile := readPage(t, "Makefile")
	targets := regexp.MustCompile(`(?m)^([a-z][a-z-]*):.*$`).FindAllStringSubmatch(makefile, -1)
	seen := 0
	eachCode(t, func(page, code string) {
		for _, m := range regexp.MustCompile(`(?:^|[;&] |\s)make ([a-z][a-z-]+)((?: [A-Z]+=\S*)*)`).FindAllStringSubmatch(code, -1) {
			seen++
			if !slices.ContainsFunc(targets, func(t []string) bool { return t[1] == m[1] }) {
				t.Errorf("%s: there is no make %s", page, m[1])
			}
			for _, pair := range strings.Fields(m[2]) {
				if name, _, _ := strings.Cut(pair, "="); !strings.Contains(makefile, "$("+name+")") {
					t.Errorf("%s: make %s does not look at %s", page, m[1], name)
				}
			}
		}
	})
	enough(t, seen, 20)
}

// model is the command line as kong knows it.
func model(t *testing.T) *kong.Node {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Name("belfry"), kong.Embed(newSettingFlags().fields()), kong.Vars{"scopes": scopeList()})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Node
}

func child(node *kong.Node, name string) *kong.Node {
	i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return node.Children[i]
}

func hasFlag(node *kong.Node, name string) bool {
	return slices.ContainsFunc(slices.Concat(node.AllFlags(false)...), func(f *kong.Flag) bool { return f.Name == name })
}

// TestNamedCommands: the commands on the pages are there, and take the flags that they are given. What begins with the name of
// a group of commands is meant as one, with "belfry" left out.
func TestNamedCommands(t *testing.T) {
	root := model(t)
	command := regexp.MustCompile(`(?:^|[\s/;(|&]|\$\()belfry ([^|;)<>&\n]*)`)
	seen := 0
	check := func(page, line string) {
		words := strings.Fields(line)
		node := root
		for len(words) > 0 && len(node.Children) > 0 {
			next := child(node, words[0])
			if next == nil {
				break
			}
			node, words = next, words[1:]
		}
		if node == root && (len(words) == 0 || !strings.HasPrefix(words[0], "--")) && (len(words) == 0 || words[0] != "COMMAND") {
			t.Errorf("%s: belfry %s: there is no such command", page, line)
			return
		}
		if len(node.Children) > 0 && node != root && node.DefaultCmd == nil && len(words) > 0 && regexp.MustCompile(`^[a-z]`).MatchString(words[0]) {
			t.Errorf("%s: belfry %s: there is no such command", page, line)
		}
		seen++
		for _, word := range words {
			if word == "--" {
				break // what follows is another program's
			}
			if flag, found := strings.CutPrefix(word, "--"); found {
				flag, _, _ = strings.Cut(strings.Trim(flag, "…,."), "=")
				if flag != "help" && !hasFlag(node, flag) {
					t.Errorf("%s: belfry %s has no flag --%s", page, line, flag)
				}
			}
		}
	}
	eachCode(t, func(page, code string) {
		for _, m := range command.FindAllStringSubmatch(code, -1) {
			if strings.TrimSpace(m[1]) != "" && !regexp.MustCompile(`^(/usr|[:@]|;|OWNER|LOGIN)`).MatchString(m[1]) && !strings.HasPrefix(code, "install") && !strings.HasPrefix(code, "kubectl") {
				check(page, m[1])
			}
		}
		first, rest, _ := strings.Cut(code, " ")
		if group := child(root, first); group != nil && len(group.Children) > 0 && child(group, strings.SplitN(rest, " ", 2)[0]) != nil {
			check(page, code)
		}
		if flag, alone := strings.CutPrefix(code, "--"); alone && regexp.MustCompile(`^[a-z][a-z-]+\b`).MatchString(flag) {
			flag = regexp.MustCompile(`^[a-z][a-z0-9-]+`).FindString(flag)
			if !strings.HasPrefix(flag, "belfry-") && !anyHas(root, flag) {
				t.Errorf("%s: no command has a flag --%s", page, flag)
			}
		}
	})
	enough(t, seen, 40)
}

func anyHas(node *kong.Node, flag string) bool {
	return hasFlag(node, flag) || slices.ContainsFunc(node.Children, func(n *kong.Node) bool { return anyHas(n, flag) })
}

// routes are those of the description of the API, and what lies beside it.
func routes(t *testing.T) map[string][]string {
	t.Helper()
	file, err := os.ReadFile("../web/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(file, &description); err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for path, methods := range description.Paths {
		for method := range methods {
			known[path] = append(known[path], strings.ToUpper(method))
		}
	}
	router, err := os.ReadFile("../handlers/router.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?:GET|Handle)\("(/[a-z]+(?:/[:a-z]+)?)"`).FindAllStringSubmatch(string(router), -1) {
		known["/sse"+m[1]] = []string{"GET"}
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/debug/pprof", "/api/openapi.json"} {
		known[path] = []string{"GET"}
	}
	return known
}

// isRoute compares a path of a page with those of the routes: a word in capitals, a variable or a number stands for a part.
func isRoute(known map[string][]string, method, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for route, methods := range known {
		want := strings.Split(route, "/")
		if len(want) != len(parts) || (method != "" && !slices.Contains(methods, method)) {
			continue
		}
		same := true
		for i, part := range parts {
			variable := strings.HasPrefix(want[i], "{") || strings.HasPrefix(want[i], ":")
			same = same && (part == want[i] || variable && part != "" && part != "everyone")
		}
		if same {
			return true
		}
	}
	return false
}

// TestNamedRoutes: the routes on the pages are there, with their methods.
func TestNamedRoutes(t *testing.T) {
	known := routes(t)
	named := regexp.MustCompile(`(?:\b(GET|POST|PUT|PATCH|DELETE) )?(?:https?://[a-z0-9.:]+|\$BELFRY_URL|[A-Z_]*URL)?((?:/api|/sse|/livez|/readyz|/metrics|/debug)(?:/[^\s"'` + "`" + `{},;()&|<>]*)?)`)
	seen := 0
	eachCode(t, func(page, code string) {
		for _, m := range named.FindAllStringSubmatch(code, -1) {
			path := strings.TrimRight(m[2], ".:")
			if path == "/api" || path == "/sse" || strings.HasSuffix(path, "/") || strings.Contains(path, "*") {
				continue // a whole family
			}
			seen++
			if !isRoute(known, m[1], path) {
				t.Errorf("%s: there is no route %s", page, strings.TrimSpace(m[1]+" "+path))
			}
		}
		// Within a page about the API its prefix is left out.
		if strings.Contains(code, " /api") {
			return
		}
		if m := regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) (/[a-z][^\s]*)`).FindStringSubmatch(code); m != nil && !isRoute(known, m[1], m[2]) && !isRoute(known, m[1], "/api/v1"+m[2]) &&
			!slices.Contains([]string{"/message", "/belfry-ticket"}, m[2]) {
			t.Errorf("%s: there is no route %s %s", page, m[1], m[2])
		}
	})
	enough(t, seen, 50)
}

// othersNames look like settings and are none of ours.
var othersNames = []string{"THIRD_PARTY_LICENSES", "HTTPS_PROXY", "TCP_USER_TIMEOUT", "TCP_DEFER_ACCEPT", "TCP_QUICKACK", "NO_COLOR",
	"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}

// TestNamedSettings: the settings on the pages are there; a name in capitals with a low line is one, or a variable of make.
func TestNamedSettings(t *testing.T) {
	known := map[string]bool{}
	for _, o := range config.Options() {
		known[o.Name] = true
		known[o.Env()] = true
		if o.Secret {
			known[o.Env()+"_FILE"], known[o.Name+"_FILE"] = true, true
		}
	}
	seen := 0
	eachCode(t, func(page, code string) {
		for _, name := range regexp.MustCompile(`\bBELFRY_[A-Z_0-9]+\b`).FindAllString(code, -1) {
			if seen++; !known[name] {
				t.Errorf("%s: there is no setting %s", page, name)
			}
		}
		if name, _, _ := strings.Cut(code, "="); regexp.MustCompile(`^[A-Z0-9]+(_[A-Z0-9]+)+$`).MatchString(name) && !strings.HasPrefix(name, "BELFRY_") {
			if seen++; !known[name] && !slices.Contains(othersNames, name) && !strings.HasPrefix(name, "OTEL_") {
				t.Errorf("%s: there is no setting %s", page, name)
			}
		}
	})
	enough(t, seen, 60)
}

// TestNamedMetrics: the metrics on the pages are in the table of docs/metrics.md, which is what a server gives
// (handlers.TestMetricsAreDocumented).
func TestNamedMetrics(t *testing.T) {
	table := regexp.MustCompile("(?m)^\\| `(belfry_[a-z_0-9]+)` \\|").FindAllStringSubmatch(readPage(t, "docs/metrics.md"), -1)
	known := []string{"belfry_growth"} // a channel of PostgreSQL's
	for _, m := range table {
		known = append(known, m[1])
	}
	seen := 0
	eachCode(t, func(page, code string) {
		for _, name := range regexp.MustCompile(`\bbelfry_[a-z_0-9]+\*?`).FindAllString(code, -1) {
			seen++
			name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			family, all := strings.CutSuffix(name, "*")
			if !slices.ContainsFunc(known, func(k string) bool { return k == name || all && strings.HasPrefix(k, family) }) {
				t.Errorf("%s: there is no metric %s", page, name)
			}
		}
	})
	enough(t, seen, 50)
}

// TestNamedEvents: the table of docs/streams.md has the events that there are, and what the code on the pages listens
// for is among them.
func TestNamedEvents(t *testing.T) {
	known := slices.Sorted(maps.Keys(services.EventClasses))
	page := readPage(t, "docs/streams.md")
	_, events, _ := strings.Cut(page, "\n## Events\n")
	events, _, _ = strings.Cut(events, "\n## ")
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(events, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	if !slices.Equal(listed, known) {
		t.Errorf("docs/streams.md lists %v, there are %v", listed, known)
	}
	seen := 0
	eachCode(t, func(page, code string) {
		for _, m := range regexp.MustCompile(`addEventListener\('([a-z_]+)'|[?&]event=([a-z_]+)|--event ([a-z_]+)`).FindAllStringSubmatch(code, -1) {
			seen++
			if name := m[1] + m[2] + m[3]; !slices.Contains(known, name) {
				t.Errorf("%s: there is no event %s", page, name)
			}
		}
	})
	enough(t, seen, 5)
}
