package cli

import (
	"fmt"
	"runtime/debug"
)

// version is set when the binary is built: -ldflags "-X belfry/cli.version=v1.2.3".
var version string

type versionCmd struct{}

// Run needs no settings, so that it works where they are wrong.
func (versionCmd) Run(term *console) error {
	_, err := fmt.Fprintln(term.out, "belfry", describeBuild(buildInfo()))
	return err
}

// buildInfo is what the go command wrote into the binary.
func buildInfo() *debug.BuildInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	switch {
	case version != "":
		info.Main.Version = version
	case info.Main.Version == "":
		info.Main.Version = "(devel)"
	}
	return info
}

// describeBuild says what was built.
func describeBuild(info *debug.BuildInfo) string {
	commit, modified := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	return fmt.Sprintf("%s, commit %s%s, %s", info.Main.Version, commit, modified, info.GoVersion)
}
