package machine

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestDescribes(t *testing.T) {
	if got := Describe(); !regexp.MustCompile(`^[1-9]\d* × \S.*, Linux \d+\.\d+.*, go1\.`).MatchString(got) {
		t.Error(got)
	}
	dir := t.TempDir()
	got, err := Conditions(dir)
	if err != nil || !regexp.MustCompile(`^\d+\.\d GiB of memory, fsync of 8 KiB \d+\.\d\d ms, [1-9]\d* descriptors a process, ports \d+–\d+, load before \d+\.\d\d$`).MatchString(got) {
		t.Errorf("%q, %v", got, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if _, err := Conditions(filepath.Join(dir, "none")); err == nil {
		t.Error("a write to a folder that is not there costs something")
	}
	if Memory() < 64<<20 {
		t.Errorf("%v bytes of memory", Memory())
	}
}
