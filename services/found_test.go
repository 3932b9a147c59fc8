package services

import (
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
)

// TestOneNoticeIsFoundWithoutReadingTheLog looks at how SQLite goes about what asks for single notices: it decides by the
// form of a query, whatever the size of the tables. PostgreSQL goes by their size, which is nothing here.
func TestOneNoticeIsFoundWithoutReadingTheLog(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t))
	system, ann := n.system(t), n.person(t, "ann")
	sent := n.publish(t, system, Target{Users: []string{"ann"}}, titled("x"))
	type statement struct {
		text string
		vars []any
	}
	var asked []statement
	for _, db := range []*gorm.DB{n.db.Read, n.db.Write} {
		must(t, db.Callback().Row().Register("test:plan", func(tx *gorm.DB) {
			asked = append(asked, statement{tx.Statement.SQL.String(), slices.Clone(tx.Statement.Vars)})
		}))
	}
	for _, of := range []struct {
		what string
		ask  func() error
	}{
		{"one", func() error { _, err := n.notices.Get(t.Context(), ann, sent.ID); return err }},
		{"sent", func() error { _, _, err := n.notices.Sent(t.Context(), system, 0, 50); return err }},
		{"receipts", func() error { _, _, err := n.notices.Receipts(t.Context(), system, sent.ID, nil, 50); return err }},
		{"withdrawn", func() error { return n.notices.Withdraw(t.Context(), system, sent.ID) }},
	} {
		asked = nil
		must(t, of.ask())
		plans := 0
		for _, s := range asked {
			if !strings.Contains(s.text, "entries") && !strings.Contains(s.text, "notice_states") {
				continue
			}
			plans++
			var steps []struct{ Detail string }
			must(t, n.db.Read.WithContext(t.Context()).Raw("EXPLAIN QUERY PLAN "+s.text, s.vars...).Scan(&steps).Error)
			for _, step := range steps {
				for _, table := range []string{"entries", "e", "notice_states", "s", "recipients", "r"} {
					if step.Detail == "SCAN "+table || strings.HasPrefix(step.Detail, "SCAN "+table+" ") {
						t.Errorf("%s: %s in\n%s", of.what, step.Detail, s.text)
					}
				}
			}
		}
		if plans == 0 {
			t.Errorf("%s: asked nothing of the log", of.what)
		}
	}
}
