package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// licenceFile is how files are called that say under which terms something may be handed on.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)([.-].*)?$`)

// notices gathers the licences of all parts. One without any stops the release: somebody has to look.
func (r release) notices(ctx context.Context, parts []part) ([]byte, error) {
	sources, err := r.sources(ctx)
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	fmt.Fprintf(&all, "Belfry %s is under the licence in LICENSE. It contains the following, each under its own.\n", r.version)
	for _, p := range parts {
		texts, err := licences(sources[p])
		if err != nil {
			return nil, fmt.Errorf("the licence of %s %s: %w", p.name, p.version, err)
		}
		fmt.Fprintf(&all, "\n%s\n%s %s\n\n%s\n", strings.Repeat("=", 80), p.name, p.version, strings.Join(texts, "\n\n"))
	}
	return all.Bytes(), nil
}

// sources says where parts lie.
func (r release) sources(ctx context.Context) (map[part]source, error) {
	sources, err := r.frontEnd()
	if err != nil {
		return nil, err
	}
	list := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = r.root
		out, err := cmd.Output()
		return string(out), err
	}
	root, err := list("env", "GOVERSION", "GOROOT")
	if err != nil {
		return nil, err
	}
	version, root, _ := strings.Cut(strings.TrimSpace(root), "\n")
	sources[part{golang, standardLibrary, strings.TrimPrefix(version, "go")}] = source{folder: root}
	modules, err := list("list", "-m", "-f", "{{with .Replace}}{{.Path}} {{.Version}} {{.Dir}}{{else}}{{.Path}} {{.Version}} {{.Dir}}{{end}}", "all")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(modules) {
		if fields := strings.Fields(line); len(fields) == 3 {
			sources[part{golang, fields[0], fields[1]}] = source{folder: fields[2]}
		}
	}
	return sources, nil
}

// licences reads the files at the top of a part that are licences. Some packages of npm only name theirs.
func licences(of source) ([]string, error) {
	files, err := os.ReadDir(of.folder)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, file := range files {
		if file.IsDir() || !licenceFile.MatchString(file.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(of.folder, file.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, strings.TrimSpace(string(text)))
	}
	switch {
	case len(texts) > 0:
		return texts, nil
	case of.licence != "":
		return []string{of.licence}, nil
	}
	return nil, errors.New("none is in " + of.folder)
}
