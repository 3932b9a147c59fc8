// Package migrations carries the schema as numbered SQL, one folder a database.
package migrations

import "embed"

// FS holds postgres/ and sqlite/. A migration that was released is never edited; a new number is added.
//
//go:embed postgres/*.sql sqlite/*.sql
var FS embed.FS
