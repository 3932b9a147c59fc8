//go:build million

package services

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

// TestSearchInAMillion fills a log with a million notices (or MILLION=n), indexes it, and says how long searches take:
//
//	go test ./services -tags million -run TestSearchInAMillion -v -timeout 1h
//
// One person reads two thirds of the log, another ten notices of it. Both have read all but the last of them: what counting
// the unread costs is another question.
func TestSearchInAMillion(t *testing.T) {
	count := 1_000_000
	if given := os.Getenv("MILLION"); given != "" {
		count = got(strconv.Atoi(given))(t)
	}
	for dialect, address := range map[string]func(testing.TB) string{SQLite: sqliteAddress, Postgres: testpg.Database} {
		t.Run(dialect, func(t *testing.T) { searchMany(t, newNode(t, address(t)), count) })
	}
}

func searchMany(t *testing.T, n *node, count int) {
	many, few := n.person(t, "many"), n.person(t, "few")
	got(n.groups.Add(t.Context(), "crew", ""))(t)
	must(t, n.groups.Join(t.Context(), "crew", "many"))
	n.emptyLog(t)
	n.run(t, "UPDATE memberships SET joined_offset = 0")
	n.fill(t, count, func(i int) (audience, category, text string) {
		audience, category, text = []string{everyone, groupAudience(1), userAudience(int64(100 + i%1000))}[i%3], "c"+strconv.Itoa(i%7), "common"
		switch {
		case i%3 == 2:
			text += " elsewhere"
		case i < count*3/10:
			text += " bygone"
		}
		if i%(count/5) == 1000 {
			audience, text = userAudience(many.ID), text+" seldom 罕见"
		}
		return audience, category, text
	})
	n.run(t, "UPDATE recipients SET audience = ? WHERE log_offset IN (SELECT log_offset FROM recipients WHERE audience LIKE 'user:1%' ORDER BY log_offset LIMIT 10)", userAudience(few.ID))
	n.run(t, "UPDATE users SET joined_offset = ? WHERE id = ?", count, few.ID)
	few.JoinedOffset = int64(count)
	n.run(t, "INSERT INTO inboxes (user_id, read_floor) SELECT id, ? FROM users", count-50)
	began := time.Now()
	for step := new(indexStep); step.upTo < int64(count); {
		step = got(n.search.step(t.Context()))(t)
	}
	fmt.Printf("%s: %d notices indexed in %v, %v each\n", n.db.Dialect, count, time.Since(began).Round(time.Second), time.Since(began)/time.Duration(count))
	words := newWriter().words
	frequent, rare := words[60], words[20_000]
	for _, user := range []*models.User{many, few} {
		var all []time.Duration
		for _, l := range []Listing{{Text: "common"}, {Text: "seldom"}, {Text: "罕见"}, {Text: "eldo"}, {Text: "unheard-of"}, {Text: "qqq"}, {Text: "bygone"}, {Text: "common elsewhere"}, {Text: frequent}, {Text: rare},
			{Text: frequent + " " + words[70]}, {Text: words[9]}, {Text: string([]rune(words[10])[:2])}, {Text: "鹏程"}, {Text: "x"}, {Category: "c3"}, {Category: "none"}, {Category: "c3", Text: rare}} {
			l.Limit = 50
			var took []time.Duration
			var page Page
			for range 20 {
				began := time.Now()
				page = got(n.notices.List(t.Context(), user, l))(t)
				took = append(took, time.Since(began))
			}
			all = append(all, took...)
			slices.Sort(took)
			fmt.Printf("%s: %-5s %-24s %3d found, %6.1f ms at the least, %6.1f at p50, %6.1f at p95\n", n.db.Dialect, user.Username, l.Text+" "+l.Category, len(page.Items), ms(took[0]), ms(took[10]), ms(took[18]))
		}
		slices.Sort(all)
		fmt.Printf("%s: %-5s all of them: %.1f ms at p50, %.1f at p95\n", n.db.Dialect, user.Username, ms(all[len(all)/2]), ms(all[len(all)*95/100]))
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
