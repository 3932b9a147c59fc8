package handlers_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"belfry/models"
	"belfry/services"
)

// byTheClock are the tables that nodes write to whatever is asked: what they report of themselves each second.
var byTheClock = []string{"nodes", "node_questions", "node_answers"}

// dump is every row of every table but those, as text.
func (s *site) dump() []string {
	s.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if s.db.Dialect == services.Postgres {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	var tables, all []string
	if err := s.db.Write.WithContext(s.Context()).Raw(query).Scan(&tables).Error; err != nil {
		s.Fatal(err)
	}
	for _, table := range tables {
		if slices.Contains(byTheClock, table) {
			continue
		}
		all = append(all, s.rows(table)...)
	}
	slices.Sort(all)
	return all
}

func (s *site) rows(table string) (texts []string) {
	s.Helper()
	found, err := s.db.SQL().QueryContext(s.Context(), "SELECT * FROM "+table)
	if err != nil {
		s.Fatal(err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		s.Fatal(err)
	}
	for found.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := found.Scan(into...); err != nil {
			s.Fatal(err)
		}
		for i := range values {
			if columns[i] == "last_used_at" { // of a key: that it was used is not what was asked for
				values[i] = nil
			}
			if b, ok := values[i].([]byte); ok {
				values[i] = string(b)
			}
		}
		texts = append(texts, table+" "+fmt.Sprint(values))
	}
	if err := found.Err(); err != nil {
		s.Fatal(err)
	}
	return texts
}

// TestGetChangesNothing asks every route that reads, twice, as who may and who may not, and compares the
// database before and after.
//
// Security: S23
func TestGetChangesNothing(t *testing.T) {
	onEach(t, nil, func(s *site) {
		cast := s.newCast()
		for _, w := range []who{user, admin, locked, keyUsers, keyNotices, nobody} {
			cast.actor(w)
		}
		before := s.dump()
		if len(before) < 20 {
			s.Fatalf("only %d rows to look at", len(before))
		}
		for _, route := range s.engine.Routes() {
			if route.Method != http.MethodGet && route.Method != http.MethodHead {
				continue
			}
			for w := range cast.people {
				for range 2 {
					cast.cell(route.Method, route.Path, nil, w)
				}
			}
		}
		after := s.dump()
		if !slices.Equal(before, after) {
			for _, r := range after {
				if !slices.Contains(before, r) {
					s.Errorf("new or changed: %s", r)
				}
			}
			s.Errorf("%d rows before, %d after", len(before), len(after))
		}
	})
}

// TestSecretsAtRest: nothing that signs in lies in the database or the log, as it is or written another way.
//
// Security: S1, S28, S36
func TestSecretsAtRest(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		c, root := s.login("anna"), s.login("root")
		authenticator, codes := c.enroll()
		secrets := map[string]string{
			"the cookie": c.cookie, "the key": s.addKey(models.ScopeNoticesWrite), "the ticket": mint(c, "/api/v1/stream-tickets"), "the password": password,
			"the link's token": root.resetLink("anna"), "the authenticator's secret": authenticator.secret,
		}
		for i, code := range codes {
			secrets["recovery code "+strconv.Itoa(i)] = code
		}
		rows := strings.Join(s.dump(), "\n")
		for name, value := range secrets {
			// What is stored unsealed lies there as base64url.
			for _, form := range []string{value, strings.ReplaceAll(value, "-", ""), base64.RawURLEncoding.EncodeToString([]byte(value)), hex.EncodeToString([]byte(value))} {
				if strings.Contains(rows, form) || strings.Contains(s.log.String(), form) {
					s.Errorf("%s lies in the database or the log", name)
				}
			}
		}
	})
}
