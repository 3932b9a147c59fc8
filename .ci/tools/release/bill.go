package main

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// The kinds of what a part comes from, as package URLs name them.
const (
	golang = "golang"
	npm    = "npm"
)

// part is something of somebody else's that is compiled in.
type part struct{ kind, name, version string }

// standardLibrary is what the list calls Go itself.
const standardLibrary = "std"

// parts lists what is in the binaries, as they say themselves, and in the front end, as its lock file says.
func (r release) parts(binaries []string) ([]part, error) {
	found := map[part]bool{}
	for _, binary := range binaries {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return nil, err
		}
		found[part{golang, standardLibrary, strings.TrimPrefix(info.GoVersion, "go")}] = true
		for _, module := range info.Deps {
			if module.Replace != nil {
				module = module.Replace
			}
			found[part{golang, module.Path, module.Version}] = true
		}
	}
	front, err := r.frontEnd()
	if err != nil {
		return nil, err
	}
	for p := range front {
		found[p] = true
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b part) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.version, b.version))
	}), nil
}

// source is where a part lies, and what its package says its licence is.
type source struct{ folder, licence string }

// frontEnd reads from npm's lock file what the page is made of. What only builds and tests it is marked
// there. (npm sbom leaves out what is a peer of something else, Vue itself.)
func (r release) frontEnd() (map[part]source, error) {
	text, err := os.ReadFile(filepath.Join(r.root, "web/package-lock.json"))
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct {
			Version, License           string
			Dev, DevOptional, Optional bool
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("web/package-lock.json: %w", err)
	}
	const modules = "node_modules/"
	found := map[part]source{}
	for folder, p := range lock.Packages {
		at := strings.LastIndex(folder, modules)
		if at < 0 || p.Dev || p.DevOptional || p.Optional {
			continue
		}
		found[part{npm, folder[at+len(modules):], p.Version}] = source{filepath.Join(r.root, "web", folder), p.License}
	}
	return found, nil
}

// packageURL is how lists of vulnerabilities call a part (https://github.com/package-url/purl-spec).
func (p part) packageURL() string {
	return fmt.Sprintf("pkg:%s/%s@%s", p.kind, strings.ReplaceAll(p.name, "@", "%40"), strings.ReplaceAll(p.version, "+", "%2B"))
}

// billFile is the list of parts.
func (r release) billFile() string { return filepath.Join(r.out, "belfry-"+r.version+".cdx.json") }

func (r release) writeBill(parts []part) error {
	bill := cdx.NewBOM()
	own := cdx.Component{BOMRef: "belfry", Type: cdx.ComponentTypeApplication, Name: "belfry", Version: r.version,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "MIT"}}}}
	bill.Metadata = &cdx.Metadata{Timestamp: r.stamp.Format(time.RFC3339), Component: &own}
	components, names := make([]cdx.Component, len(parts)), make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.packageURL()
		components[i] = cdx.Component{BOMRef: names[i], Type: cdx.ComponentTypeLibrary, Name: p.name, Version: p.version, PackageURL: names[i]}
	}
	bill.Components = &components
	bill.Dependencies = &[]cdx.Dependency{{Ref: own.BOMRef, Dependencies: &names}}
	var text bytes.Buffer
	if err := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bill, cdx.SpecVersion1_6); err != nil {
		return err
	}
	return os.WriteFile(r.billFile(), text.Bytes(), 0o644)
}
