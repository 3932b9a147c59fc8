// Command release makes what is published of a version: for each platform a tarball with the binary and what it is
// installed with, a list of all that is compiled in (CycloneDX), and checksums.
//
// The same commit gives the same bytes: files bear the time of the commit, and nothing of this machine goes in.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// target is a platform that binaries are made for.
type target struct{ os, arch string }

var targets = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}

// versionForm is what may stand in a file name and in the binary.
var versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$`)

// release is one version on its way out.
type release struct {
	root    string // of the repository
	out     string // where the files go
	version string
	stamp   time.Time // what every file in it bears
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "", "what it is called, as in v1.2.3")
	out := flags.String("out", "", "folder for the files, which is emptied")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !versionForm.MatchString(*version) || *out == "" {
		return errors.New("-version (letters, digits, dots, plus, dashes) and -out are needed")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	r := release{root: root, out: *out, version: *version}
	if r.stamp, err = commitTime(ctx, root); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(r.out), os.MkdirAll(r.out, 0o755)); err != nil {
		return err
	}
	return r.make(ctx)
}

// commitTime is SOURCE_DATE_EPOCH where it is set, as builders of packages do, else when the commit was made.
func commitTime(ctx context.Context, root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		asked := exec.CommandContext(ctx, "git", "log", "-1", "--format=%ct")
		asked.Dir = root
		out, err := asked.Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("no commit to take the time of; set SOURCE_DATE_EPOCH: %w", err)
		}
		text = strings.TrimSpace(string(out))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("SOURCE_DATE_EPOCH is no number of seconds")
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// make makes all files of the release.
func (r release) make(ctx context.Context) error {
	work, err := os.MkdirTemp("", "belfry-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	binaries := make([]string, len(targets))
	for i, t := range targets {
		fmt.Printf("building %s/%s\n", t.os, t.arch)
		binaries[i] = filepath.Join(work, t.os+"-"+t.arch)
		if err := r.build(ctx, t, binaries[i]); err != nil {
			return err
		}
	}
	parts, err := r.parts(binaries)
	if err != nil {
		return err
	}
	notices, err := r.notices(ctx, parts)
	if err != nil {
		return err
	}
	for i, t := range targets {
		if err := r.pack(t, binaries[i], notices); err != nil {
			return err
		}
	}
	if err := r.writeBill(parts); err != nil {
		return err
	}
	return r.writeSums()
}

// build compiles the binary as make build does, for another platform.
func (r release) build(ctx context.Context, t target, to string) error {
	stamped := exec.CommandContext(ctx, "git", "rev-parse", "--git-dir")
	stamped.Dir = r.root
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs="+strconv.FormatBool(stamped.Run() == nil),
		"-ldflags", "-s -w -X belfry/cli.version="+r.version, "-o", to, ".")
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.root, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOOS="+t.os, "GOARCH="+t.arch)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build for %s/%s: %w", t.os, t.arch, err)
	}
	return nil
}
