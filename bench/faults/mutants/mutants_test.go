package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestPatchesApply: a mutant that cannot be made proves nothing, and shows only in a run that takes half an hour.
func TestPatchesApply(t *testing.T) {
	for _, m := range mutants {
		patch, err := filepath.Abs(m.patch + ".patch")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(patch); err != nil {
			t.Fatal(err)
		}
		check := exec.CommandContext(t.Context(), "git", "apply", "--check", patch)
		check.Dir = "../../.."
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", m.patch, err, out)
		}
	}
	patches, err := filepath.Glob("*.patch")
	if err != nil || len(patches) != len(mutants) {
		t.Errorf("%d patches for %d mutants: %v", len(patches), len(mutants), err)
	}
}

// TestAlikeNamesMutants: a name that is none would leave nothing out.
func TestAlikeNamesMutants(t *testing.T) {
	for name := range alike {
		if !slices.ContainsFunc(mutants, func(m mutant) bool { return m.patch == name }) {
			t.Errorf("there is no mutant %q", name)
		}
	}
}
