package cli

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestComplete(t *testing.T) {
	s := shell{t, nil}
	for line, want := range map[string]string{
		"v":                      "version",
		"s":                      "secret send serve",
		"user d":                 "disable",
		"user add --p":           "--password-stdin",
		"key create ci --s":      "--scope",
		"tail --event ":          "lock notice notice_state task",
		"tail --user ":           "",
		"completion ":            "--help bash fish zsh",
		"serve --session-":       "--session-idle --session-max --session-warning",
		"run --task T -- sh --h": "",
		"no such thing --h":      "--help",
	} {
		out := s.ok("", append([]string{completing}, strings.Split(line, " ")...)...)
		got := strings.Fields(out)
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	s.refused(exitUsage, "bash", "", "completion", "tcsh")
}

// TestCompletionScripts runs what it can in the shells that are there; none of the scripts may hold an error.
func TestCompletionScripts(t *testing.T) {
	s := shell{t, nil}
	for name := range scripts {
		if _, err := exec.LookPath(name); err != nil {
			t.Log(name + " is not here")
			continue
		}
		check := exec.CommandContext(t.Context(), name, "-n")
		check.Stdin = strings.NewReader(s.ok("", "completion", name))
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
	script := s.ok("", "completion", "bash") + `
belfry() { [ "$1" = __complete ] && printf '%s\n' send serve --help; }
COMP_WORDS=(belfry user se) COMP_CWORD=2
_belfry
echo "${COMPREPLY[@]}"`
	out, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
	if err != nil || string(out) != "send serve\n" {
		t.Errorf("%v %q", err, out)
	}
}
