package services

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
	"belfry/services/journal"
)

// pages lists to the end, page by page.
func (n *node) pages(t *testing.T, user *models.User, l Listing) (all []NoticeView) {
	t.Helper()
	for {
		page := got(n.notices.List(t.Context(), user, l))(t)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		at, _ := journal.ParsePosition(page.Next)
		l.Before = at.Offset
	}
}

func idsOfViews(views []NoticeView) (ids []int64) {
	for _, v := range views {
		ids = append(ids, v.ID)
	}
	return ids
}

// TestSearchFindsWhatALookAtAllFinds asks for words and categories, with the index empty, behind and full, and holds the
// answers against a look at each notice of the inbox.
func TestSearchFindsWhatALookAtAllFinds(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const filled = 900
		system, ann, bob := n.system(t), n.person(t, "ann"), n.person(t, "bob")
		for _, group := range []string{"crew", "late"} {
			got(n.groups.Add(t.Context(), group, ""))(t)
		}
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		n.emptyLog(t)
		random := rand.New(rand.NewPCG(7, 7))
		audiences := []string{everyone, groupAudience(1), groupAudience(2), userAudience(ann.ID), userAudience(bob.ID)}
		categories := []string{"", "builds", "Builds", "ops"}
		n.fill(t, filled, func(i int) (string, string, string) {
			text := []string{"构建失败", "Straße", "ＦＵＬＬ width", "server-7", "seldom"}[min(random.IntN(5), random.IntN(5))]
			if i == 3 || i == 800 {
				text = "ancient 东京"
			}
			return audiences[random.IntN(len(audiences))], categories[random.IntN(len(categories))], text
		})
		n.run(t, "UPDATE memberships SET joined_offset = 400")
		must(t, n.groups.Join(t.Context(), "late", "ann"))
		n.run(t, "UPDATE memberships SET joined_offset = 500 WHERE group_id = 2")
		queries := []string{"构建", "失败 server", "建", "strasse", "STRASSE full", "full", "ull", "ul", "erver-7", "seldom", "ancient", "东京 ancient", "nowhere", "s", "-7", "e t a", w50(), w50()[1:]}
		check := func(what string) {
			t.Helper()
			for _, user := range []*models.User{ann, bob} {
				for _, state := range []string{"all", "archived"} {
					all := n.pages(t, user, Listing{State: state, Limit: 200})
					folded := map[int64][2]string{} // once, and not for each query
					for _, v := range all {
						folded[v.ID] = [2]string{foldText(v.Title), foldText(v.Body)}
					}
					for k, query := range queries {
						l := Listing{State: state, Text: query, Category: []string{"", "builds", "none"}[k%3], Limit: 20 + random.IntN(60)}
						words := strings.Fields(foldText(l.Text))
						want := slices.DeleteFunc(slices.Clone(all), func(v NoticeView) bool {
							return !holds(words, folded[v.ID][0], folded[v.ID][1]) || (l.Category != "" && (v.Category == nil || *v.Category != l.Category))
						})
						if have := n.pages(t, user, l); !slices.Equal(idsOfViews(have), idsOfViews(want)) {
							t.Fatalf("%s: %s finds %v for %+v, want %v", what, user.Username, idsOfViews(have), l, idsOfViews(want))
						}
					}
				}
			}
		}
		check("with an empty index")
		got(n.search.step(t.Context()))(t)
		check("with an index that has begun")
		got(n.search.CatchUp(t.Context()))(t)
		check("with a full index")
		for i := range 8 {
			c := titled("seldom 构建失败 %d", i)
			c.Category = new("builds")
			done := n.publish(t, system, Target{Users: []string{"ann"}, Everyone: i%2 == 0}, c)
			got(n.notices.MarkOne(t.Context(), ann, done.ID, Marking{Archived: new(i%3 == 0)}))(t)
		}
		check("with newer ones that are not in it")
		got(n.search.CatchUp(t.Context()))(t)
		must(t, n.groups.Leave(t.Context(), "crew", "ann"))
		check("with all in it, and less to see")
	})
}

// w50 is a word that those who fill a log use.
func w50() string { return newWriter().words[51] }

// emptyLog lets a log be filled from its beginning.
func (n *node) emptyLog(t testing.TB) {
	t.Helper()
	for _, table := range []string{"entries", "recipients"} {
		n.run(t, "DELETE FROM "+table)
	}
	n.run(t, "UPDATE users SET joined_offset = 0")
}

// TestSearchShowsNobodyElses: a term is a hash, and another's audience may have the same one.
func TestSearchShowsNobodyElses(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, bob := n.person(t, "ann"), n.person(t, "bob")
		n.emptyLog(t)
		const filled = 2 * firstStep
		n.fill(t, filled, func(i int) (string, string, string) {
			if i == 1 {
				return userAudience(bob.ID), "private", "secret"
			}
			return userAudience(ann.ID), "", ""
		})
		must(t, n.db.Write.Exec("UPDATE search_state SET indexed = ?", filled-1).Error)
		must(t, n.search.add(n.db.Write.WithContext(t.Context()), &indexStep{from: filled - 1, upTo: filled,
			rows: []indexRow{{1, termsOf(userAudience(ann.ID)+" "+userAudience(bob.ID), "private", `{"title":"secret"}`)}}}))
		for _, l := range []Listing{{Text: "secret", Limit: 5}, {Category: "private", Limit: 5}} {
			if found := n.pages(t, bob, l); len(found) != 1 {
				t.Errorf("bob finds %d for %+v", len(found), l)
			}
			if found := n.pages(t, ann, l); len(found) != 0 {
				t.Errorf("ann is shown what is bob's for %+v", l)
			}
		}
	})
}

// TestSearchIndexIsFilledOnce by several nodes, while others publish.
func TestSearchIndexIsFilledOnce(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := newNode(t, address), newNode(t, address)
	ann := a.person(t, "ann")
	system := a.system(t)
	const each = 150
	atOnce(4, func(i int) {
		node := []*node{a, b}[i%2]
		for k := range each {
			if i < 2 {
				if _, err := node.notices.Publish(t.Context(), system, Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("n%d", k)}); err != nil {
					t.Error(err)
				}
			} else if _, err := node.search.step(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	head := got(a.journal.Head(t.Context()))(t)
	if upTo := got(a.search.CatchUp(t.Context()))(t); upTo != head.Offset {
		t.Errorf("the index goes up to %d, the log to %d", upTo, head.Offset)
	}
	if rows := a.number(t, "SELECT count(*) FROM search_index"); rows != 2*each {
		t.Errorf("%d rows, want %d", rows, 2*each)
	}
	if found := a.pages(t, ann, Listing{Text: "n149", Limit: 50}); len(found) != 2 {
		t.Errorf("%d found, want 2", len(found))
	}
}

// TestSearchFollowsTheLog: what is published gets into the index, what is trimmed leaves it.
func TestSearchFollowsTheLog(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		ann := n.person(t, "ann")
		ended := make(chan struct{})
		go func() { defer close(ended); n.search.Run(n.background) }()
		t.Cleanup(func() { n.deafen(); <-ended })
		for i := range 5 {
			n.publish(t, system, Target{Users: []string{"ann"}}, titled("n%d", i))
		}
		var last int64
		eventually(t, "the index has all of them", func() bool {
			last = got(n.journal.Head(t.Context()))(t).Offset
			return n.number(t, "SELECT indexed FROM search_state") == last
		})
		if rows := n.number(t, "SELECT count(*) FROM search_index"); rows != 5 {
			t.Errorf("%d in the index, want 5", rows)
		}
		n.run(t, "UPDATE entries SET created_at = 1 WHERE log_offset < ?", last)
		got(n.journal.Trim(t.Context(), 2))(t)
		eventually(t, "the index has what is left", func() bool { return n.number(t, "SELECT count(*) FROM search_index") == 1 })
		if found := n.pages(t, ann, Listing{Text: "n", Limit: 5}); len(found) != 1 || found[0].Title != "n4" {
			t.Errorf("%+v", found)
		}
	})
}

// eventually waits for what other goroutines do and nothing tells of.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// TestSearchUsesTheIndex asks the databases how they go about it, in a log that is large enough to make them choose.
func TestSearchUsesTheIndex(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const filled = 20_000
		ann := n.person(t, "ann")
		n.emptyLog(t)
		rare := []int64{filled - 2, filled - 2*firstStep, 1 << stretchBits, 1<<stretchBits - 2, 10, 2} // around each border
		n.fill(t, filled, func(i int) (string, string, string) {
			return []string{everyone, userAudience(99)}[i%2], "c", map[bool]string{true: "seldom", false: "common"}[slices.Contains(rare, int64(i))]
		})
		for step := new(indexStep); step.upTo < filled; {
			step = got(n.search.step(t.Context()))(t)
		}
		if found := idsOfViews(n.pages(t, ann, Listing{Text: "seldom", Limit: 3})); !slices.Equal(found, rare) {
			t.Errorf("found %v, want %v", found, rare)
		}
		for _, l := range []Listing{{Text: "common"}, {Text: "nowhere"}, {Text: "东"}, {Category: "none"}, {Text: "common", Category: "c"}} {
			s := got(n.notices.search(n.db.Read.WithContext(t.Context()), ann, l))(t)
			s.walked = true
			q := inboxQuery{where: whereInbox, args: map[string]any{"topic": l.Category}, limit: 50, search: s}
			query, named := n.notices.stepping(ann, q, filled, firstStep)
			explain, scan, index := "EXPLAIN QUERY PLAN ", "SCAN e", "search_index VIRTUAL TABLE INDEX"
			if n.db.Dialect == Postgres {
				explain, scan, index = "EXPLAIN ", "Seq Scan", "Bitmap Index Scan on search_index_by_key"
			}
			plan := n.plan(t, explain+query, named)
			if !strings.Contains(plan, index) || strings.Contains(plan, scan) {
				t.Errorf("%+v is looked for so:\n%s", l, plan)
			}
		}
	})
}

func (n *node) plan(t *testing.T, query string, named map[string]any) string {
	t.Helper()
	rows, err := n.db.Read.WithContext(t.Context()).Raw(query, named).Rows()
	must(t, err)
	defer rows.Close()
	columns := got(rows.Columns())(t)
	var plan strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		must(t, rows.Scan(values...))
		fmt.Fprintln(&plan, *values[len(values)-1].(*any))
	}
	must(t, rows.Err())
	return plan.String()
}

// TestSearchIndexLeavesNoneOut: of more than one transaction takes, all come into the index, and all go out of it.
func TestSearchIndexLeavesNoneOut(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const many = indexTrim + indexEntries + 1
		system, short := n.system(t), make([]Outgoing, many)
		n.person(t, "ann")
		for i := range short {
			short[i] = Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("n")}
		}
		_, _, err := n.notices.PublishAll(t.Context(), system, short)
		must(t, err)
		upTo := got(n.search.CatchUp(t.Context()))(t)
		if rows := n.number(t, "SELECT count(*) FROM search_index"); rows != many {
			t.Errorf("%d of %d are in the index", rows, many)
		}
		must(t, n.search.trim(t.Context(), upTo-1))
		if rows := n.number(t, "SELECT count(*) FROM search_index"); rows != 1 {
			t.Errorf("%d are left of one that the log holds", rows)
		}
	})
}
