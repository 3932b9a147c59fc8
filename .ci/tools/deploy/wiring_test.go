package deploy

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// TestComposeAsksForHealth: a question that nobody answers would keep nginx from starting for ever.
func TestComposeAsksForHealth(t *testing.T) {
	p := project(t)
	asked := func(s types.ServiceConfig) string { return strings.Join(s.HealthCheck.Test[1:], " ") }
	for _, s := range nodes(t, p) {
		if want := "wget -q -O /dev/null http://127.0.0.1" + value(s, "BELFRY_LISTEN") + "/readyz"; asked(s) != want {
			t.Errorf("%s: %q, want %q", s.Name, asked(s), want)
		}
	}
	if got := asked(p.Services["nginx"]); got != "wget -q -O /dev/null --no-check-certificate https://127.0.0.1/livez" {
		t.Errorf("nginx: %q", got)
	}
	postgres := p.Services["postgres"]
	if want := "pg_isready -q -h 127.0.0.1 -U " + value(postgres, "POSTGRES_USER") + " -d " + value(postgres, "POSTGRES_DB"); asked(postgres) != want {
		t.Errorf("postgres: %q, want %q", asked(postgres), want)
	}
	address, err := os.ReadFile(filepath.Join(makeSecrets(t), "database_url"))
	if err != nil {
		t.Fatal(err)
	}
	if url := string(address); !strings.HasPrefix(url, "postgres://"+value(postgres, "POSTGRES_USER")+":") || !strings.Contains(url, "/"+value(postgres, "POSTGRES_DB")+"?") {
		t.Error("the nodes ask for another database than there is")
	}
}

func TestComposeStartsInGoodOrder(t *testing.T) {
	p := project(t)
	waits := func(s types.ServiceConfig) []string { return slices.Sorted(maps.Keys(s.DependsOn)) }
	if got := waits(p.Services["nginx"]); !slices.Equal(got, []string{"belfry-1", "belfry-2"}) {
		t.Errorf("nginx waits for %v", got)
	}
	for _, s := range nodes(t, p) {
		if got := waits(s); !slices.Equal(got, []string{"postgres"}) {
			t.Errorf("%s waits for %v", s.Name, got)
		}
	}
}

// TestComposeNetworks: nobody but nginx is reached from outside, and the database has no way out.
func TestComposeNetworks(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		var ports []string
		for _, port := range s.Ports {
			ports = append(ports, port.Published)
		}
		if name == "nginx" && !slices.Equal(ports, []string{"80", "443"}) || name != "nginx" && len(ports) > 0 {
			t.Errorf("%s is reached at %v", name, ports)
		}
	}
	if networks := p.Services["postgres"].Networks; len(networks) != 1 || networks["back"] != nil || !p.Networks["back"].Internal {
		t.Errorf("PostgreSQL is in %v", networks)
	}
	// Who is not root may take these ports only where the kernel lets everybody.
	if got := p.Services["nginx"].Sysctls["net.ipv4.ip_unprivileged_port_start"]; got != "0" {
		t.Errorf("ports are free from %q on", got)
	}
}

// TestComposePlaces: what is mounted lies where it is looked for, and what is written where it may be.
func TestComposePlaces(t *testing.T) {
	p := project(t)
	mounts := map[string]string{}
	for name, s := range p.Services {
		if len(s.Tmpfs) == 0 || !strings.HasPrefix(s.Tmpfs[0], "/tmp:") {
			t.Errorf("%s has a file system that cannot be written, and no /tmp", name)
		}
		for _, v := range s.Volumes {
			mounts[name+":"+v.Target] = filepath.Base(v.Source)
		}
	}
	want := map[string]string{
		"nginx:/etc/nginx/nginx.conf": "nginx.conf", "nginx:/etc/nginx/deploy/nginx/site": "container",
		"postgres:/var/lib/postgresql/data": "postgres",
	}
	if !maps.Equal(mounts, want) {
		t.Errorf("%v, want %v", mounts, want)
	}
}

// copies are what a Dockerfile's stages take from each other.
func copies(stages []instructions.Stage) (found []*instructions.CopyCommand) {
	for _, stage := range stages {
		for _, command := range stage.Commands {
			if c, is := command.(*instructions.CopyCommand); is && c.From != "" {
				found = append(found, c)
			}
		}
	}
	return found
}

// TestDockerfileStagesFit: what one stage takes from another is what that one makes.
func TestDockerfileStagesFit(t *testing.T) {
	stages, _, err := parse(t, dockerfile(t))
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, c := range copies(stages) {
		made = append(made, c.From+":"+c.SourcePaths[0]+" > "+c.DestPath)
	}
	if want := []string{"web:/src/web/dist > web/dist", "build:/out/belfry > /usr/local/bin/belfry", "build:/out/data > /data"}; !slices.Equal(made, want) {
		t.Errorf("%q, want %q", made, want)
	}
	text := string(dockerfile(t))
	for _, want := range []string{"FROM --platform=$BUILDPLATFORM node:24-slim AS web", "AS build", "WORKDIR /src/web\n", "-o /out/belfry . ", "mkdir /out/data",
		"\nWORKDIR /\n", "VOLUME /data\n", "ARG TARGETOS TARGETARCH VERSION=dev\n", "-X belfry/cli.version=$VERSION"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q", want)
		}
	}
	var front struct{ Scripts map[string]string }
	file, err := os.ReadFile(filepath.Join(root, "web/package.json"))
	if err != nil || json.Unmarshal(file, &front) != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(text, "RUN npm run ")
	if script, _, _ = strings.Cut(script, "\n"); front.Scripts[script] == "" {
		t.Errorf("the front end has no script %q", script)
	}
	for _, s := range nodes(t, project(t)) {
		if got := slices.Collect(maps.Keys(s.Build.Args)); !slices.Equal(got, []string{"VERSION"}) {
			t.Errorf("%s is built with %v, and the Dockerfile takes VERSION", s.Name, got)
		}
	}
}

// TestKubernetesSecrets: they are mounted where the settings look for them, and called as the page for operators makes them.
func TestKubernetesSecrets(t *testing.T) {
	spec, c := pod(t)
	page, err := os.ReadFile(filepath.Join(root, "docs/operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{}
	for _, v := range spec.Volumes {
		if v.Secret == nil {
			continue
		}
		if !strings.Contains(string(page), "create secret generic "+v.Secret.SecretName+" ") {
			t.Errorf("nobody is told to make the secret %q", v.Secret.SecretName)
		}
		for _, m := range c.VolumeMounts {
			if m.Name == v.Name {
				places[m.MountPath] = v.Secret.SecretName
			}
		}
	}
	files := 0
	for _, v := range c.Env {
		if strings.HasSuffix(v.Name, "_FILE") {
			files++
			if places[path.Dir(v.Value)] == "" {
				t.Errorf("%s: nothing is mounted at %s", v.Name, v.Value)
			}
		}
	}
	if files < 2 {
		t.Errorf("%d secrets", files)
	}
}
