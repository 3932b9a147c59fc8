package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// linux is the platform that the tests run on.
var linux = target{"linux", "amd64"}

func newRelease(t *testing.T) release {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return release{root: root, out: t.TempDir(), version: "v1.2.3-rc.1", stamp: time.Unix(1_700_000_000, 0).UTC()}
}

// built is the binary that make build has made.
func built(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("BELFRY_BIN")
	if binary == "" {
		t.Fatal("BELFRY_BIN is to name the binary; make test does it")
	}
	return binary
}

// unpack gives the files of a tarball by name.
func unpack(t *testing.T, text []byte) (files map[string]*tar.Header, texts map[string][]byte) {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	files, texts = map[string]*tar.Header{}, map[string][]byte{}
	for reader := tar.NewReader(plain); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = header
		if texts[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTarball(t *testing.T) {
	r := newRelease(t)
	binary := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(binary, []byte("\x7fELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.out, r.name(linux)+".tar.gz")
	var texts [2][]byte
	for i := range texts {
		if err := r.pack(linux, binary, []byte("notices")); err != nil {
			t.Fatal(err)
		}
		var err error
		if texts[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(texts[0], texts[1]) {
		t.Error("the second is not the first")
	}
	files, _ := unpack(t, texts[0])
	top := "belfry-v1.2.3-rc.1-linux-amd64/"
	for _, name := range []string{"belfry", "LICENSE", "README.md", "nginx.conf", noticesFile, "deploy/nginx/site/tls.conf",
		"deploy/systemd/belfry.service", "deploy/systemd/belfry.env", "deploy/kubernetes/belfry.yaml", "deploy/prometheus/alerts.yml",
		"deploy/grafana/belfry.json", "docs/operate.md"} {
		if files[top+name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range installed(t, r.root) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(file string) bool { return file == top+name || strings.HasPrefix(file, top+name+"/") }) {
			t.Errorf("docs/operate.md installs %s, which is not in it", name)
		}
	}
	for name, header := range files {
		mode := int64(0o644)
		if name == top+"belfry" {
			mode = 0o755
		}
		if !strings.HasPrefix(name, top) || strings.Contains(name, "secrets") || strings.HasSuffix(name, ".go") {
			t.Errorf("%s is in it", name)
		}
		if header.Mode != mode || !header.ModTime.Equal(r.stamp) || header.Uid != 0 || header.Uname != "" {
			t.Errorf("%s: %+v", name, header)
		}
	}
}

// installed are the files and folders that the page for operators copies from the tarball.
func installed(t *testing.T, root string) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, command := range regexp.MustCompile(`(?m)^    .*\bcp (.*)$`).FindAllStringSubmatch(string(page), -1) {
		for _, word := range strings.Fields(command[1]) {
			if strings.HasPrefix(word, "/") || strings.HasPrefix(word, "#") || strings.HasPrefix(word, "&") {
				break // where it goes to
			}
			if word != "-r" {
				names = append(names, word)
			}
		}
	}
	if len(names) < 5 {
		t.Fatalf("docs/operate.md copies %v", names)
	}
	return names
}

// TestBill holds the list of parts against what the binary and the front end are made of.
func TestBill(t *testing.T) {
	r := newRelease(t)
	parts, err := r.parts([]string{built(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.writeBill(parts); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.billFile())
	if err != nil {
		t.Fatal(err)
	}
	var bill cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(text), cdx.BOMFileFormatJSON).Decode(&bill); err != nil {
		t.Fatal(err)
	}
	if bill.SpecVersion != cdx.SpecVersion1_6 || bill.Metadata.Component.Version != r.version || bill.Metadata.Timestamp != "2023-11-14T22:13:20Z" {
		t.Errorf("%v %+v", bill.SpecVersion, bill.Metadata)
	}
	var listed []string
	for _, c := range *bill.Components {
		listed = append(listed, strings.SplitN(c.PackageURL, "@", 2)[0])
	}
	if !slices.IsSorted(listed) {
		t.Error("the parts are in no order, so two lists cannot be compared")
	}
	for _, want := range []string{"pkg:golang/std", "pkg:golang/github.com/gin-gonic/gin", "pkg:golang/modernc.org/sqlite", "pkg:npm/vue", "pkg:npm/reka-ui"} {
		if !slices.Contains(listed, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, foreign := range []string{"pkg:npm/vite", "pkg:npm/vitest", "pkg:golang/pgregory.net/rapid"} {
		if slices.Contains(listed, foreign) {
			t.Errorf("%s is only for building and testing", foreign)
		}
	}
}

func TestPackageURL(t *testing.T) {
	for want, p := range map[string]part{
		"pkg:npm/%40lucide/vue@1.48.0":                       {npm, "@lucide/vue", "1.48.0"},
		"pkg:golang/github.com/x/y/v2@v2.0.0%2Bincompatible": {golang, "github.com/x/y/v2", "v2.0.0+incompatible"},
		"pkg:golang/golang.org/x/sys@v0.0.0-2026-abcdef":     {golang, "golang.org/x/sys", "v0.0.0-2026-abcdef"},
	} {
		if got := p.packageURL(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestEveryPartHasALicence is what a release would stop at.
func TestEveryPartHasALicence(t *testing.T) {
	r := newRelease(t)
	parts, err := r.parts([]string{built(t)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.notices(t.Context(), parts)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"github.com/gin-gonic/gin v", "\nvue 3", "The Go Authors", "Yuxi (Evan) You"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("there is no %q", want)
		}
	}
	if _, err := r.notices(t.Context(), []part{{npm, "belfry-has-no-such-part", "1"}}); err == nil {
		t.Error("a part without a licence passes")
	}
}

func TestSums(t *testing.T) {
	r := newRelease(t)
	if err := os.WriteFile(filepath.Join(r.out, "a.tar.gz"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.writeSums(); err != nil {
		t.Fatal(err)
	}
	check := func() error {
		cmd := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", sumsFile)
		cmd.Dir = r.out
		return cmd.Run()
	}
	if err := check(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(r.out, "a.tar.gz"), []byte("b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if check() == nil {
		t.Error("another file passes")
	}
	if text, err := os.ReadFile(filepath.Join(r.out, sumsFile)); err != nil || string(text) != fmt.Sprintf("%x  a.tar.gz\n", sha256.Sum256([]byte("a"))) {
		t.Errorf("%q %v", text, err)
	}
}

// TestVersionIsAName: what it is called goes into file names and into the linker's flags.
func TestVersionIsAName(t *testing.T) {
	for version, good := range map[string]bool{"v1.2.3": true, "v1.2.3-4-gabcdef-dirty": true, "": false, "../x": false, "-X a": false, "v1 -X b": false} {
		if versionForm.MatchString(version) != good {
			t.Errorf("%q: want %v", version, good)
		}
	}
}
