package cli

import (
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"belfry/client"
)

// snippets writes each code block of the page into a file of the name that its first line tells.
func snippets(t *testing.T, dir string) {
	t.Helper()
	page, err := os.ReadFile("../docs/integrate.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```[a-z]+\n(?:#|//) (\\S+)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != strings.Count(string(page), "```")/2 {
		t.Fatalf("%d blocks say their names", len(blocks))
	}
	for _, block := range blocks {
		write(t, filepath.Join(dir, block[1]), block[2])
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// moody stands before a server and is of no use every other time: it answers with 503 and, where answers get lost too, by
// turns does what it was asked and breaks off in the middle of telling so.
func moody(t *testing.T, address string, loses bool) *httptest.Server {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	transport := &http.Transport{DisableKeepAlives: true}
	through := &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := n.Add(1); {
		case n%2 == 0:
			through.ServeHTTP(w, r)
		case loses && n%4 == 3 && r.Method == http.MethodPost:
			whole := httptest.NewRecorder()
			through.ServeHTTP(whole, r)
			maps.Copy(w.Header(), whole.Header())
			w.WriteHeader(whole.Code)
			_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// frameworks are stood in for: their names, and of what they do what the snippets cannot do without.
var frameworks = map[string]string{
	"django/__init__.py": "", "django/views/__init__.py": "", "django/views/decorators/__init__.py": "",
	"django/core/__init__.py": "", "django/core/management/__init__.py": "",
	"django/views/decorators/csrf.py": "def csrf_exempt(view):\n    view.csrf_exempt = True\n    return view\n",
	"django/views/decorators/http.py": "require_POST = lambda view: view\n",
	"django/http.py":                  "HttpResponse = JsonResponse = dict\n",
	"django/db.py":                    "from contextlib import nullcontext\nclass transaction:\n    on_commit = staticmethod(lambda then: then())\n    atomic = nullcontext\n",
	"django/core/management/base.py":  "import sys\nclass BaseCommand:\n    stderr = sys.stderr\n",
	"orders.py": "import os\nclass Place:\n    last = ''\n    class objects:\n        def get_or_create(name):\n            place = Place()\n" +
		"            if os.path.exists(name): place.last = open(name).read()\n            return place, not place.last\n" +
		"    def save(self):\n        open('belfry', 'w').write(self.last)\n        print('at', self.last, flush=True)\n" +
		"def ship(order): print(order['title'], flush=True)\n",
	"org/springframework/web/bind/annotation/RestController.java": "package org.springframework.web.bind.annotation;\npublic @interface RestController {}\n",
	"org/springframework/web/bind/annotation/PostMapping.java":    "package org.springframework.web.bind.annotation;\npublic @interface PostMapping { String path(); String produces(); }\n",
}

// callers use what the snippets define.
var callers = map[string]string{
	"django_test.py": "from types import SimpleNamespace as N\nimport views\n" +
		"views.order_shipped(N(customer='anna', pk=12))\nassert views.stream_ticket(N(user=N(username='anna', is_authenticated=True)))['token']\n" +
		"assert views.stream_ticket(N(user=N(is_authenticated=False))) == {'status': 401}\nassert views.stream_ticket.csrf_exempt\n",
	"python_test.py": "import belfry, words\nbelfry.send('anna', 'From Python', severity='warning')\n" +
		"try:\n    belfry.send('nobody', 'x')\n    raise SystemExit('taken')\nexcept belfry.urllib.error.HTTPError as refusal:\n    assert refusal.code == 422\n" +
		"try:\n    belfry.ticket('anna/stream-tickets?')\n    raise SystemExit('somebody else is given a ticket of hers')\nexcept belfry.urllib.error.HTTPError as refusal:\n    assert refusal.code == 404\n" +
		"print(words.tell('anna', 'A text', 'The quick brown fox'.split()))\n",
	"listen_test.py": "from management.commands.listen_to_belfry import Command\nCommand().handle()\n",
	"test.mjs": "import { send, ticket } from './belfry.mjs';\nawait send('anna', 'From JavaScript', { category: 'x' });\n" +
		"if (!(await ticket('anna')).token) throw new Error('no ticket');\nawait send('nobody', 'x').then(() => { throw new Error('taken'); }, (fault) => { if (!fault.message.includes('422')) throw fault; });\n" +
		"await ticket('anna/stream-tickets?').then(() => { throw new Error('somebody else is given a ticket of hers'); }, (fault) => { if (!fault.message.includes('404')) throw fault; });\n",
	"Main.java": "public class Main { public static void main(String[] args) throws Exception { var belfry = new Belfry();\n" +
		"if (args.length > 0) new Listener(belfry).listen(\"bob\", \"\", (place, name, data) -> System.out.println(\n" +
		"  name.equals(\"notice\") ? data.replaceFirst(\".*\\\"title\\\":\\\"([^\\\"]+)\\\".*\", \"$1\") : \"at \" + place));\n" +
		"belfry.send(\"{\\\"to\\\": {\\\"users\\\": [\\\"anna\\\"]}, \\\"title\\\": \\\"From Java\\\"}\");\n" +
		"if (!new TicketController(belfry).ticket(() -> \"anna\").contains(\"token\")) throw new Exception();\n" +
		"try { belfry.ticket(\"anna/stream-tickets?\"); } catch (IllegalStateException refusal) { if (refusal.getMessage().contains(\"not_found\")) return; }\n" +
		"throw new Exception(\"somebody else is given a ticket of hers\"); } }\n",
}

// workshop is a server with all that the page shows around it.
type workshop struct {
	shell
	address, dir string
	client       *client.Client
}

func newWorkshop(t *testing.T) workshop {
	s, address := office(t, "warehouse")
	w := workshop{shell: s, address: address, dir: t.TempDir()}
	snippets(t, w.dir)
	for _, files := range []map[string]string{frameworks, callers} {
		for name, text := range files {
			write(t, filepath.Join(w.dir, name), text)
		}
	}
	var err error
	if w.client, err = client.New(address, s.key()); err != nil {
		t.Fatal(err)
	}
	return w
}

// command is one that finds the server at an address. Where the machine has no such tool the test is skipped, but not where
// all of them have to be: a snippet that nobody ran is one that nobody knows to be right.
func (w workshop) command(t *testing.T, at, tool, dir string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(tool + " is not here; .ci/deps installs it")
		}
		t.Skip(tool + " is not here")
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "BELFRY_URL="+at, "BELFRY_KEY="+w.key(), "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// TestSnippets runs what docs/integrate.md shows of sending, in each language that is on the machine.
func TestSnippets(t *testing.T) {
	w := newWorkshop(t)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		title, tool, dir string
		loses            bool // answers, where the snippet can do with that
		args             []string
	}{
		{"Disk at 91 %", "curl", w.dir, false, []string{"bash", "-e", "send.sh"}},
		{"", "curl", w.dir, false, []string{"bash", "-e", "ticket.sh"}},
		{"Nightly backup", "curl", w.dir, false, []string{"bash", "-e", "-o", "pipefail", "task.sh"}},
		{"From Python", "python3", w.dir, true, []string{"python3", "python_test.py"}},
		{"Your order is on its way", "python3", w.dir, true, []string{"python3", "django_test.py"}},
		{"From JavaScript", "node", w.dir, true, []string{"node", "test.mjs"}},
		{"From Go", "go", root, true, []string{"go", "run", filepath.Join(w.dir, "main.go")}},
		{"From Java", "javac", w.dir, true, []string{"sh", "-ec", "javac -d out Main.java && java -Xshare:auto -cp out Main"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel() // mostly they wait for the next try
			if out, err := w.command(t, moody(t, w.address, c.loses).URL, c.tool, c.dir, c.args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := strings.Join(received(t, w.shell, w.address), "\n")
			if n := strings.Count(got, `"title":"`+c.title+`","body"`); c.title != "" && n != 1 {
				t.Errorf("%q is there %d times in\n%s", c.title, n, got)
			}
		})
	}
}

// received is all that anna ever got, by a stream from the log's beginning.
func received(t *testing.T, s shell, address string) []string {
	t.Helper()
	c, err := client.New(address, s.key())
	if err != nil {
		t.Fatal(err)
	}
	mark, err := c.Publish(t.Context(), client.Notice{To: client.To{Users: []string{"anna"}}, Title: "so far"})
	if err != nil {
		t.Fatal(err)
	}
	epoch, _, _ := strings.Cut(mark.Cursor, "-")
	var found []string
	for e, err := range c.Tail(t.Context(), "anna", client.TailOptions{LastID: epoch + "-0"}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Name == client.EventNotice {
			found = append(found, string(e.Data))
		}
		if e.ID == mark.Cursor {
			break
		}
	}
	return found
}
