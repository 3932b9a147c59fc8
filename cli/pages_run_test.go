package cli

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"belfry/config"
)

// asBelfry, in its environment, makes this test binary the command itself.
const asBelfry = "TEST_BINARY_IS_BELFRY"

// becomeBelfry does not return where the tests have started themselves as the command.
func becomeBelfry() {
	if os.Getenv(asBelfry) != "" {
		environ := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, asBelfry) })
		os.Exit(Run(context.Background(), "", os.Args[1:], environ, os.Stdin, os.Stdout, os.Stderr))
	}
}

// reader is somebody who types what the pages show.
type reader struct {
	shell
	dir string
}

func newReader(s shell) reader {
	s.t.Helper()
	r := reader{shell: s, dir: s.t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	write(s.t, filepath.Join(r.dir, "bin/belfry"), "#!/bin/sh\nexec env "+asBelfry+"=1 '"+self+"' \"$@\"\n")
	if err := os.Chmod(filepath.Join(r.dir, "bin/belfry"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// environment is what the commands are run in: nothing of what tests are told by is a setting.
func (r reader) environment() []string {
	environ := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "BELFRY_") })
	return append(append(environ, r.environ...), "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
}

// types runs commands and gives what they print.
func (r reader) types(commands string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "bash", "-e", "-o", "pipefail", "-c", commands)
	cmd.Dir, cmd.Env = r.dir, r.environment()
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("%s\n%v\n%s%s", commands, err, out, &said)
	}
	return string(out)
}

// finds wants commands to print something of this form.
func (r reader) finds(form, commands string) {
	r.t.Helper()
	if out := r.types(commands); !regexp.MustCompile(form).MatchString(out) {
		r.t.Errorf("%s\nprinted\n%s", commands, out)
	}
}

// people adds some with the password that all have.
func (s shell) people(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.ok("battery staple", "user", "add", name, "--password-stdin", "--argon2", "m=7168,t=1,p=1")
	}
}

// TestPeoplePage types what the pages show of people, groups and keys.
func TestPeoplePage(t *testing.T) {
	t.Run("README", func(t *testing.T) {
		r := newReader(sqliteShell(t))
		write(t, filepath.Join(r.dir, "password"), "correct horse battery\n")
		r.finds(`(?m)^bfk_\S+$`, shown(t, "README.md", "belfry user add"))
	})
	r := newReader(sqliteShell(t))
	write(t, filepath.Join(r.dir, "password"), "correct horse battery\n")
	r.finds(`(?ms)^bfk_\S+$.*http://localhost:8080/\S+$`, shown(t, "docs/people.md", "belfry user add"))
	write(t, filepath.Join(r.dir, "people.csv"), shown(t, "docs/people.md", "username,"))
	r.types(shown(t, "docs/people.md", "belfry user import"))
	same(t, columns(r.types("belfry user list"), 0, 1), "NAME ROLE", "anna admin", "bob user")
}

// TestRunPage starts a server as docs/run.md shows it, and one with TLS of its own.
func TestRunPage(t *testing.T) {
	for beginning, settings := range map[string]string{"bin/belfry user add": "", "BELFRY_LISTEN=:8443": "BELFRY_DATABASE_URL=sqlite:tls.db"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			r := newReader(shell{t, nil})
			write(t, filepath.Join(r.dir, "password"), "correct horse battery\n")
			r.types("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout belfry.key -out belfry.crt 2>&1")
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := free.Addr().String()
			_ = free.Close()
			commands, scheme := strings.Replace(shown(t, "docs/run.md", beginning), "belfry serve", "belfry serve --listen "+address, 1), "http"
			if settings != "" {
				commands, scheme = settings+" "+commands, "https"
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-ec", commands)
			cmd.Dir, cmd.Env = r.dir, r.environment()
			begin(t, cmd)
			waitFor(t, "the server", func() bool {
				check := exec.CommandContext(t.Context(), "curl", "--silent", "--fail", "--cacert", "belfry.crt", "--insecure", scheme+"://"+address+"/readyz")
				check.Dir = r.dir
				return check.Run() == nil
			})
		})
	}
}

// TestPagesOfSenders types what the pages show of sending, against a server, and finds it in the inbox.
func TestPagesOfSenders(t *testing.T) {
	s := sqliteShell(t)
	s.people("anna", "bob")
	s.ok("", "group", "add", "operations")
	s.ok("", "group", "join", "operations", "anna")
	key := strings.TrimSpace(s.ok("", "key", "create", "office", "--scope", "notices:write,tickets:write,tasks:write"))
	url := s.serving()
	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY="+key)
	r := newReader(s)
	here := func(commands string) string {
		return strings.NewReplacer("https://belfry.example", url, "http://localhost:8080", url, "bfk_…", s.key()).Replace(commands)
	}
	for _, c := range []struct{ page, beginning, form string }{
		{"README.md", "export BELFRY_URL=http://localhost:8080 BELFRY_KEY=", `^\{"id":\d+,"cursor":".+"\}\s*$`},
		{"README.md", "curl https://belfry.example/api/v1/notices \\", `^\{"id":\d+,"cursor":".+"\}\s*$`},
		{"docs/integrate.md", "curl https://belfry.example/api/v1/notices/batch \\", `^\{"status":201,.+\}\n\{"status":201,.+\}\n$`},
		{"docs/integrate.md", "AUTH=", `"state":"succeeded"`},
		{"docs/embedding.md", "curl -X POST", `"token":"`},
	} {
		r.finds(c.form, here(shown(t, c.page, c.beginning)))
	}
	write(t, filepath.Join(r.dir, "backup.sh"), "#!/bin/sh\necho saved\n")
	r.finds(`^saved\n$`, "chmod +x backup.sh\n"+shown(t, "README.md", "belfry run --task"))
	anna, _ := signIn(t, url, "anna", "battery staple")
	if got := titles(t, anna, url); got != "Backup of db-1 done, Deploy, Disk at 91 %, Hello from curl, Nightly backup" {
		t.Errorf("anna has %s", got)
	}
}

// titles are those of a person's inbox, sorted.
func titles(t *testing.T, person *http.Client, url string) string {
	t.Helper()
	var all []string
	for _, item := range inbox(t, person, url) {
		all = append(all, item.Title)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// TestSendersPage types what docs/senders.md shows: keys that know whom they are for, and what takes them.
func TestSendersPage(t *testing.T) {
	s := sqliteShell(t)
	s.people("anna")
	for _, group := range []string{"alerts", "ops"} {
		s.ok("", "group", "add", group)
		s.ok("", "group", "join", group, "anna")
	}
	admin := strings.TrimSpace(s.ok("", "key", "create", "admin", "--scope", "users:write,notices:write,tickets:write"))
	s.environ = append(s.environ, "BELFRY_GOTIFY=true", "BELFRY_NTFY=true", "BELFRY_SECRET=0123456789abcdef0123456789abcdef")
	url := s.serving()
	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY="+admin)
	r := newReader(s)
	page := func(beginning string) string { return shown(t, "docs/senders.md", beginning) }
	write(t, filepath.Join(r.dir, "mapping.json"), page("{"))
	sends := "KEY=$(" + strings.TrimSpace(page("belfry key create backup")) + ")\n" + page("curl http://localhost:8080/message") + page("curl http://localhost:8080/alerts")
	r.finds(`(?s)"id":\d+.*"id":`, strings.ReplaceAll(sends, "http://localhost:8080", url))
	r.finds(`^\S+\n$`, page("belfry key create github"))
	call := `{"job": {"id": 7, "name": "Build 7"}, "builds": [{"job": {"id": 7, "name": "Build 7"}, "state": "failed"}, {"state": "running"}]}`
	r.finds(`"notices":\[\{"index":0,`, "KEY=$("+strings.TrimSpace(page("belfry key create ci"))+")\n"+
		`curl -s `+url+`/api/v1/hooks/custom -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -d '`+call+`'`)
	anna, _ := signIn(t, url, "anna", "battery staple")
	if got := titles(t, anna, url); got != "Backup, Build 7, Disk" {
		t.Errorf("anna has %s", got)
	}
}

// TestStreamsPage asks the doctor as docs/streams.md shows it.
func TestStreamsPage(t *testing.T) {
	t.Parallel() // mostly the doctor waits
	s := sqliteShell(t)
	s.people("anna")
	key := strings.TrimSpace(s.ok("", "key", "create", "doctor", "--scope", "tickets:write"))
	url := s.serving("--heartbeat", "100ms")
	s.environ = append(s.environ, "BELFRY_KEY="+key)
	r := newReader(s)
	r.finds(`(?m)^ok `, strings.ReplaceAll(shown(t, "docs/streams.md", "belfry doctor"), "https://belfry.example", url))
}

// TestEmbeddingPage makes the key of docs/embedding.md.
func TestEmbeddingPage(t *testing.T) {
	newReader(sqliteShell(t)).finds(`^bfk_\S+\n$`, shown(t, "docs/embedding.md", "belfry key create shop"))
}

// TestShownSettings: what the pages set can be set so.
func TestShownSettings(t *testing.T) {
	for page, beginning := range map[string]string{"README.md": "BELFRY_PUBLIC_URL=", "docs/configure.md": "BELFRY_PUBLIC_URL=", "docs/integrate.md": "BELFRY_URL="} {
		file := filepath.Join(t.TempDir(), "secret")
		write(t, file, "postgres://belfry@db/belfry")
		environ := regexp.MustCompile(`BELFRY_[A-Z_]+=\S+`).FindAllString(shown(t, page, beginning), -1)
		for i, pair := range environ {
			name, value, _ := strings.Cut(pair, "=")
			if strings.HasSuffix(name, "_FILE") {
				environ[i] = name + "=" + file
			}
			if value == "…" {
				environ[i] = name + "=bfk_x"
			}
		}
		if _, err := config.Load(nil, environ); err != nil || len(environ) < 2 {
			t.Errorf("%s: %q: %v", page, environ, err)
		}
	}
}

type inboxItem struct{ Title string }

func inbox(t *testing.T, person *http.Client, url string) []inboxItem {
	t.Helper()
	resp, err := person.Get(url + "/api/v1/notices")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Items []inboxItem }
	if err := json.Unmarshal(text, &page); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return page.Items
}
