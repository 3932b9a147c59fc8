package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// manifests are the objects of a file, read as the API server reads them: unknown fields are faults.
func manifests(text []byte) (objects []runtime.Object, err error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	for reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}

func kubernetesFile(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy/kubernetes/belfry.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// kind picks the one object of a kind.
func kind[T runtime.Object](t *testing.T) (found T) {
	t.Helper()
	objects, err := manifests(kubernetesFile(t))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, object := range objects {
		if of, is := object.(T); is {
			found, count = of, count+1
		}
	}
	if count != 1 {
		t.Fatalf("%d objects of the kind", count)
	}
	return found
}

func pod(t *testing.T) (core.PodSpec, core.Container) {
	t.Helper()
	spec := kind[*apps.Deployment](t).Spec.Template.Spec
	if len(spec.Containers) != 1 {
		t.Fatalf("%d containers", len(spec.Containers))
	}
	return spec, spec.Containers[0]
}

func variable(c core.Container, name string) string {
	for _, v := range c.Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// TestKubernetesDrains: a node that is replaced has the time to send its streams away, and there is always one to go to.
func TestKubernetesDrains(t *testing.T) {
	deployment := kind[*apps.Deployment](t)
	spec, c := pod(t)
	drain, err := time.ParseDuration(variable(c, "BELFRY_DRAIN"))
	if err != nil {
		t.Fatal(err)
	}
	stop := c.Lifecycle.PreStop.Exec.Command
	before, err := strconv.Atoi(stop[len(stop)-1])
	if err != nil {
		t.Fatal(err)
	}
	if grace := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second; grace <= time.Duration(before)*time.Second+drain+2*time.Second {
		t.Errorf("it is killed after %v: %d s before it is told, and %v to drain", grace, before, drain)
	}
	rolling := deployment.Spec.Strategy.RollingUpdate
	if rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() != 1 || *deployment.Spec.Replicas != 2 || deployment.Spec.MinReadySeconds < 3 {
		t.Errorf("%+v", deployment.Spec)
	}
	budget := kind[*policy.PodDisruptionBudget](t)
	if *budget.Spec.MinAvailable != intstr.FromInt32(1) {
		t.Errorf("%v stay", budget.Spec.MinAvailable)
	}
	for name, selector := range map[string]map[string]string{
		"Deployment": deployment.Spec.Selector.MatchLabels, "PodDisruptionBudget": budget.Spec.Selector.MatchLabels,
		"Service": kind[*core.Service](t).Spec.Selector, "NetworkPolicy": kind[*networking.NetworkPolicy](t).Spec.PodSelector.MatchLabels,
	} {
		if !maps.Equal(selector, deployment.Spec.Template.Labels) {
			t.Errorf("%s selects %v", name, selector)
		}
	}
}

func TestKubernetesProbes(t *testing.T) {
	_, c := pod(t)
	ports := map[string]string{}
	for _, p := range c.Ports {
		ports[p.Name] = fmt.Sprintf(":%d", p.ContainerPort)
	}
	if ports["http"] != variable(c, "BELFRY_LISTEN") || ports["internal"] != variable(c, "BELFRY_INTERNAL_LISTEN") {
		t.Errorf("%v", ports)
	}
	for path, probe := range map[string]*core.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe.HTTPGet.Path != path || probe.HTTPGet.Port != intstr.FromString("internal") {
			t.Errorf("%s: %+v", path, probe.HTTPGet)
		}
	}
	// A node that brings the schema up to date lives and is not ready: not even a start may ask for more.
	if c.StartupProbe.HTTPGet.Path != "/livez" {
		t.Error("a long migration would be killed")
	}
	service := kind[*core.Service](t).Spec.Ports
	if len(service) != 1 || service[0].TargetPort != intstr.FromString("http") {
		t.Errorf("the service leads to %v", service)
	}
}

func TestKubernetesHardened(t *testing.T) {
	spec, c := pod(t)
	inside, own := spec.SecurityContext, c.SecurityContext
	if !*inside.RunAsNonRoot || *inside.RunAsUser != 65532 || inside.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%+v", inside)
	}
	if *own.AllowPrivilegeEscalation || !*own.ReadOnlyRootFilesystem || !slices.Equal(own.Capabilities.Drop, []core.Capability{"ALL"}) {
		t.Errorf("%+v", own)
	}
	if *spec.AutomountServiceAccountToken || *spec.EnableServiceLinks {
		t.Error("it gets a token, or variables that stop its start")
	}
	if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() || !c.Resources.Limits.Cpu().IsZero() {
		t.Errorf("%v", c.Resources) // a limit on CPU would hold up every stream at once
	}
	for _, v := range c.Env {
		if strings.HasSuffix(v.Name, "SECRET") || strings.HasSuffix(v.Name, "DATABASE_URL") {
			t.Errorf("%s is to come from a file", v.Name)
		}
	}
}

// TestKubernetesSettingsAreKnown has the binary itself judge the environment.
func TestKubernetesSettingsAreKnown(t *testing.T) {
	_, c := pod(t)
	dir := makeSecrets(t)
	var environ []string
	for _, v := range c.Env {
		environ = append(environ, v.Name+"="+strings.Replace(v.Value, "/run/secrets/belfry", dir, 1))
	}
	if code, said := migrationStatus(t, environ); code != 1 {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func TestKubernetesFaultsAreFound(t *testing.T) {
	text := kubernetesFile(t)
	for name, change := range map[string][2]string{
		"unknown field":   {"minReadySeconds: 5", "minReadySecond: 5"},
		"deep field":      {"failureThreshold: 1\n", "failureTreshold: 1\n"},
		"unknown kind":    {"kind: PodDisruptionBudget", "kind: PodDisruptionBudgets"},
		"unknown version": {"apiVersion: policy/v1", "apiVersion: policy/v1beta2"},
		"type":            {"replicas: 2", "replicas: two"},
		"twice":           {"  replicas: 2", "  replicas: 2\n  replicas: 2"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(broken, text) {
				t.Fatalf("there is no %q", change[0])
			}
			if _, err := manifests(broken); err == nil {
				t.Error("passes")
			}
		})
	}
}
