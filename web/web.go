// Package web carries the built front end inside the binary.
package web

import (
	"embed"
	"io/fs"
)

// dist/.gitkeep is committed, so that the embed directive compiles before the
// front end was ever built. "all:" is needed because the name begins with a dot.
//
//go:embed all:dist
var dist embed.FS

// Dist returns the built front end: index.html at its root, and files with
// content hashes in their names under assets/. Before the first front-end
// build it holds no index.html.
func Dist() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		// Sub fails only on an invalid path, and this one is a constant.
		panic(err)
	}
	return sub
}
