package migrations

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// narrowing are statements after which a node of the version before fails: it still reads and writes what they take away,
// and does not fill what they ask for.
var narrowing = regexp.MustCompile(`(?i)\bDROP\s+(TABLE|COLUMN|FUNCTION|VIEW)\b|\bRENAME\b|\bTRUNCATE\b|\bALTER\s+COLUMN\b|\bSET\s+NOT\s+NULL\b|\bADD\s+(CONSTRAINT|CHECK|UNIQUE|FOREIGN)\b`)

// demanding is a new column that who does not know it cannot fill.
var demanding = regexp.MustCompile(`(?i)\bADD\s+COLUMN\s+[^,;]*\bNOT\s+NULL\b[^,;]*`)

// narrows gives the first statement that a node of the version before would fail after.
func narrows(migration string) string {
	up, _, _ := strings.Cut(migration, "-- +goose Down")
	var text strings.Builder
	for line := range strings.Lines(up) {
		statement, _, _ := strings.Cut(line, "--")
		text.WriteString(statement + "\n")
	}
	if found := narrowing.FindString(text.String()); found != "" {
		return found
	}
	for _, column := range demanding.FindAllString(text.String(), -1) {
		if !strings.Contains(strings.ToUpper(column), "DEFAULT") {
			return column
		}
	}
	return ""
}

// TestOldNodesStandNewSchema: in an upgrade old and new nodes work side by side, and going back leaves the new schema where
// it is. So a schema only grows; what is no longer used goes with a major version.
func TestOldNodesStandNewSchema(t *testing.T) {
	seen := 0
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "/00001_") {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if found := narrows(string(text)); found != "" {
			t.Errorf("%s: %s", name, found)
		}
		seen++
		return err
	})
	if err != nil || seen < 20 {
		t.Errorf("%d migrations, %v", seen, err)
	}
}

func TestNarrowingIsFound(t *testing.T) {
	for statement, want := range map[string]bool{
		"ALTER TABLE a DROP COLUMN b;":                                true,
		"ALTER TABLE a RENAME TO b;":                                  true,
		"DROP TABLE a;":                                               true,
		"ALTER TABLE a ADD COLUMN b text NOT NULL;":                   true,
		"ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT '';":        false,
		"ALTER TABLE a ADD COLUMN b text; -- never DROP TABLE":        false,
		"DROP INDEX a;\n-- +goose Down\nDROP TABLE b;":                false,
		"CREATE TABLE a (b text NOT NULL);\nCREATE INDEX c ON a (b);": false,
	} {
		if found := narrows("-- +goose Up\n" + statement); (found != "") != want {
			t.Errorf("%s: %q", statement, found)
		}
	}
}
