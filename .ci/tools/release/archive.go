package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// contents are the files and folders of the repository that an operator needs beside the binary. Folders are named one by
// one: deploy/secrets must never be among them.
var contents = []string{"LICENSE", "README.md", "nginx.conf", "deploy/nginx", "deploy/systemd", "deploy/kubernetes", "deploy/prometheus",
	"deploy/grafana", "docs"}

// noticesFile holds the licences of all that is compiled in, which ask for being handed on with the binary.
const noticesFile = "THIRD_PARTY_LICENSES"

// name is what a platform's tarball, and the one folder in it, are called.
func (r release) name(t target) string {
	return fmt.Sprintf("belfry-%s-%s-%s", r.version, t.os, t.arch)
}

// pack writes the tarball of a platform.
func (r release) pack(t target, binary string, notices []byte) (err error) {
	var packed bytes.Buffer
	squeeze := gzip.NewWriter(&packed) // without a name or a time of its own
	a := archive{tar.NewWriter(squeeze), r}
	top := r.name(t)
	executable, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	if err := a.add(top+"/belfry", executable, 0o755); err != nil {
		return err
	}
	if err := a.add(top+"/"+noticesFile, notices, 0o644); err != nil {
		return err
	}
	for _, name := range contents {
		if err := a.addTree(top, name); err != nil {
			return err
		}
	}
	if err := a.Close(); err != nil {
		return err
	}
	if err := squeeze.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, top+".tar.gz"), packed.Bytes(), 0o644)
}

// archive writes files without anything of the machine they come from.
type archive struct {
	*tar.Writer
	release
}

func (a archive) add(name string, text []byte, mode int64) error {
	header := &tar.Header{Name: name, Size: int64(len(text)), Mode: mode, ModTime: a.stamp, Typeflag: tar.TypeReg}
	if err := a.WriteHeader(header); err != nil {
		return err
	}
	_, err := a.Write(text)
	return err
}

// addTree adds a file, or a folder with all that lies in it, in the order of the names.
func (a archive) addTree(top, name string) error {
	return filepath.WalkDir(filepath.Join(a.root, name), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(a.root, file)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return a.add(path.Join(top, filepath.ToSlash(relative)), text, 0o644)
	})
}

// sumsFile is in the form that sha256sum -c reads.
const sumsFile = "SHA256SUMS"

func (r release) writeSums() error {
	files, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(r.out, file.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(text), file.Name())
	}
	return os.WriteFile(filepath.Join(r.out, sumsFile), []byte(sums.String()), 0o644)
}
