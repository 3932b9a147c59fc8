package services

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"gorm.io/gorm"
)

// A deadline that passes between two statements of a transaction is the database's slowness, as one within a statement is:
// the caller may try again.
func TestDeadlineWithinATransactionPasses(t *testing.T) {
	db, err := OpenDatabase(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "belfry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write.WithContext(t.Context()).Transaction(func(tx *gorm.DB) error {
		return tx.Rollback().Error // as database/sql does by itself at the deadline
	})
	if !errors.Is(err, sql.ErrTxDone) || !IsPassing(err) {
		t.Errorf("%v: passing %v", err, IsPassing(err))
	}
	if IsPassing(errors.New("a column that is not there")) || IsPassing(context.Canceled) {
		t.Error("every fault passes")
	}
}
