package services

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"belfry/internal/testpg"
	"belfry/models"
)

// TestColumnAddedUnderANode is what a node of the version before lives through in a rolling upgrade.
func TestColumnAddedUnderANode(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	db, newer := got(OpenDatabase(t.Context(), address))(t), got(OpenDatabase(t.Context(), address))(t)
	t.Cleanup(func() { must(t, errors.Join(db.Close(), newer.Close())) })
	db.SQL().SetMaxOpenConns(1) // the one that has the query prepared
	all := func(db *gorm.DB) error {
		var rows []models.Group
		return db.Raw("SELECT * FROM groups").Scan(&rows).Error
	}
	must(t, all(db.Read))
	must(t, newer.Write.Exec("ALTER TABLE groups ADD COLUMN tower text").Error)
	must(t, all(db.Read))

	t.Run("in a transaction", func(t *testing.T) {
		must(t, newer.Write.Exec("ALTER TABLE groups ADD COLUMN chime text").Error)
		transaction := func() error {
			return db.Write.WithContext(context.WithoutCancel(t.Context())).Transaction(all)
		}
		if err := transaction(); !isStalePlan(err) || !IsPassing(err) {
			t.Errorf("%v, want a fault that passes", err)
		}
		must(t, transaction())
	})

	t.Run("another fault of the same code", func(t *testing.T) {
		err := db.Read.Exec("SELECT count(*) FROM groups FOR UPDATE").Error
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "0A000" || isStalePlan(err) || IsPassing(err) {
			t.Errorf("%v passes", err)
		}
	})
}
