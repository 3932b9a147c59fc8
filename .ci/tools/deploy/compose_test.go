// Package deploy checks docker-compose.yml and the Dockerfile with the parsers that Docker has,
// and against what they have to fit: the settings, nginx's addresses, the files they name.
package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../../.."

func load(t *testing.T, file string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{file}, cli.WithoutEnvironmentResolution)
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t, filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func nodes(t *testing.T, p *types.Project) []types.ServiceConfig {
	t.Helper()
	var found []types.ServiceConfig
	for name, service := range p.Services {
		if strings.HasPrefix(name, "belfry-") {
			found = append(found, service)
		}
	}
	if len(found) != 2 {
		t.Fatalf("%d nodes, want two", len(found))
	}
	return found
}

func TestComposeServices(t *testing.T) {
	p := project(t)
	if len(p.Services) != 4 {
		t.Errorf("services: %v", p.ServiceNames())
	}
	registry := regexp.MustCompile(`^[^/]*[.:][^/]*/`)
	for name, s := range p.Services {
		t.Run(name, func(t *testing.T) {
			if s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 {
				t.Error("no health check")
			}
			if s.User == "" || strings.HasPrefix(s.User, "0") || strings.HasPrefix(s.User, "root") {
				t.Errorf("user %q", s.User)
			}
			if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
				t.Error("not hardened")
			}
			if s.Restart != "unless-stopped" {
				t.Errorf("restart %q", s.Restart)
			}
			if registry.MatchString(s.Image) || !strings.Contains(s.Image, ":") {
				t.Errorf("image %q", s.Image)
			}
			for dependency, how := range s.DependsOn {
				if how.Condition != types.ServiceConditionHealthy {
					t.Errorf("does not wait until %s is healthy", dependency)
				}
			}
		})
	}
}

func TestComposeNodesStopInGoodOrder(t *testing.T) {
	for _, s := range nodes(t, project(t)) {
		drain, err := time.ParseDuration(value(s, "BELFRY_DRAIN"))
		if err != nil {
			t.Fatal(err)
		}
		if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) <= drain+2*time.Second {
			t.Errorf("%s is killed after %v, in the middle of a drain of %v", s.Name, s.StopGracePeriod, drain)
		}
	}
}

func value(s types.ServiceConfig, name string) string {
	if v := s.Environment[name]; v != nil {
		return *v
	}
	return ""
}

func TestComposeMountsExist(t *testing.T) {
	for name, s := range project(t).Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
			if !v.ReadOnly {
				t.Errorf("%s may write %s", name, v.Source)
			}
		}
	}
}

// TestComposeSecrets wants every secret in a file, and each file made by the script.
func TestComposeSecrets(t *testing.T) {
	p, dir := project(t), makeSecrets(t)
	for name, secret := range p.Secrets {
		if filepath.Base(filepath.Dir(secret.File)) != "secrets" {
			t.Errorf("%s lies in %s, which git would take in", name, secret.File)
		}
		info, err := os.Stat(filepath.Join(dir, filepath.Base(secret.File)))
		if err != nil || info.Size() == 0 || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	hidden := regexp.MustCompile(`(PASSWORD|SECRET|KEY|DATABASE_URL)$`)
	for name, s := range p.Services {
		mounted := map[string]bool{}
		for _, secret := range s.Secrets {
			mounted["/run/secrets/"+secret.Source] = true
		}
		for variable, v := range s.Environment {
			if hidden.MatchString(variable) {
				t.Errorf("%s: %s is to come from a file", name, variable)
			}
			if strings.HasSuffix(variable, "_FILE") && !mounted[*v] {
				t.Errorf("%s: %s is not mounted at %s", name, variable, *v)
			}
		}
	}
}

// makeSecrets runs the script twice: the second time changes nothing.
func makeSecrets(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	run := func() ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(root, "deploy/make-secrets"), "belfry.example")
		cmd.Env = append(os.Environ(), "SECRETS="+dir)
		return cmd.CombinedOutput()
	}
	var before string
	for range 2 {
		if out, err := run(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		now := read("secret") + read("database_url") + read("tls_cert")
		if before != "" && now != before {
			t.Error("the second run made other secrets")
		}
		before = now
	}
	database, err := url.Parse(read("database_url"))
	if err != nil {
		t.Fatal(err)
	}
	if password, _ := database.User.Password(); password != read("postgres_password") || len(password) < 32 {
		t.Error("the nodes have not the password of PostgreSQL")
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls_cert"), filepath.Join(dir, "tls_key"))
	if err != nil || pair.Leaf.VerifyHostname("belfry.example") != nil {
		t.Errorf("the certificate: %v", err)
	}
	// A key whose certificate is still to come is not written over.
	for _, name := range []string{"tls_cert", "tls_key"} {
		there, aside := filepath.Join(dir, name), filepath.Join(dir, "aside")
		if err := os.Rename(there, aside); err != nil {
			t.Fatal(err)
		}
		if out, err := run(); err == nil {
			t.Errorf("made both without %s: %s", name, out)
		}
		if err := os.Rename(aside, there); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls_cert"), filepath.Join(dir, "tls_key")); err != nil {
		t.Error(err)
	}
	return dir
}

// TestComposeFitsNginx compares the addresses that three files agree on.
func TestComposeFitsNginx(t *testing.T) {
	p := project(t)
	conf, err := os.ReadFile(filepath.Join(root, "deploy/nginx/container/http.conf"))
	if err != nil {
		t.Fatal(err)
	}
	var listed, given []string
	for _, match := range regexp.MustCompile(`server (\S+):8080`).FindAllSubmatch(conf, -1) {
		listed = append(listed, string(match[1]))
	}
	front := p.Services["nginx"].Networks["front"].Ipv4Address
	for _, s := range nodes(t, p) {
		given = append(given, s.Networks["front"].Ipv4Address)
		if trusted := value(s, "BELFRY_TRUSTED_PROXIES"); trusted != front+"/32" {
			t.Errorf("%s trusts %s, nginx is at %s", s.Name, trusted, front)
		}
		if value(s, "BELFRY_LISTEN") != ":8080" {
			t.Errorf("%s listens at %s", s.Name, value(s, "BELFRY_LISTEN"))
		}
	}
	slices.Sort(given)
	slices.Sort(listed)
	if !slices.Equal(listed, given) {
		t.Errorf("nginx asks %v, the nodes are at %v", listed, given)
	}
	if limit := p.Services["nginx"].Ulimits["nofile"]; limit == nil || limit.Single < 65536 {
		t.Error("nginx.conf raises its file limit above what it is given")
	}
}

// migrationStatus has the binary read settings, beside those of the image, and ask for its database, which is not there.
func migrationStatus(t *testing.T, environ []string) (code int, said string) {
	t.Helper()
	binary := os.Getenv("BELFRY_BIN")
	if binary == "" {
		t.Fatal("BELFRY_BIN is to name the binary; make test does it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "migrate", "status")
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH")}, environment(t), environ) // the last of a name counts
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// TestComposeSettingsAreKnown has the binary itself judge the environment of a node.
func TestComposeSettingsAreKnown(t *testing.T) {
	dir := makeSecrets(t)
	var environ []string
	for name, v := range nodes(t, project(t))[0].Environment {
		environ = append(environ, name+"="+strings.Replace(*v, "/run/secrets", dir, 1))
	}
	// There is no host "postgres" here: a fault of its own, with exit code 1.
	if code, said := migrationStatus(t, environ); code != 1 {
		t.Errorf("exit code %d: %s", code, said)
	}
	if code, said := migrationStatus(t, append(environ, "BELFRY_NO_SUCH_SETTING=1")); code != 2 || !strings.Contains(said, "NO_SUCH_SETTING") {
		t.Errorf("an unknown setting passes, so this test proves nothing: %d %s", code, said)
	}
}

// TestComposeFaultsAreFound shows that the parser minds.
func TestComposeFaultsAreFound(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown key":     {"stop_grace_period: 20s", "stop_grace: 20s"},
		"unknown secret":  {"secrets: [tls_cert, tls_key]", "secrets: [tls_cert, tls_keys]"},
		"unknown network": {"networks: [back]", "networks: [rear]"},
		"unknown service": {"belfry-2:\n        condition", "belfry-3:\n        condition"},
		"bad duration":    {"interval: 10s", "interval: ten"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(broken, text) {
				t.Fatalf("there is no %q", change[0])
			}
			file := filepath.Join(t.TempDir(), "docker-compose.yml")
			if err := os.WriteFile(file, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := load(t, file); err == nil {
				t.Error("passes")
			}
		})
	}
}
