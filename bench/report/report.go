// Package report prints what tests measured, and leaves it where a suite gathers such tables.
package report

import (
	"os"
	"path/filepath"
	"testing"
)

// Write logs a table. Where TEST_REPORTS names a folder, it is appended to the file of that name
// there too, for the output of a test that passed is not shown.
func Write(t testing.TB, name, text string) {
	t.Helper()
	t.Log("\n" + text)
	folder := os.Getenv("TEST_REPORTS")
	if folder == "" {
		return
	}
	file, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	_, err = file.WriteString(text)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		t.Error(err)
	}
}
