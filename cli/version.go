package cli

import (
	"fmt"
	"runtime/debug"
)

// version is set when the binary is built: -ldflags "-X belfry/cli.version=v1.2.3".
var version string

type versionCmd struct {
	JSON bool `name:"json" help:"Print a JSON object."`
}

// Run needs no settings, so that it works where they are wrong.
func (c versionCmd) Run(term *console) error {
	built := describeBuild(buildInfo())
	if c.JSON {
		return term.json(built)
	}
	return term.say("belfry %s", built)
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

// build is what was built.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // unknown: it was not built from a repository
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
}

func describeBuild(info *debug.BuildInfo) build {
	built := build{Version: info.Main.Version, Commit: "unknown", Go: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			built.Commit = s.Value
		case "vcs.modified":
			built.Modified = s.Value == "true"
		}
	}
	return built
}

func (b build) String() string {
	modified := ""
	if b.Modified {
		modified = ", modified"
	}
	return fmt.Sprintf("%s, commit %s%s, %s", b.Version, b.Commit, modified, b.Go)
}
