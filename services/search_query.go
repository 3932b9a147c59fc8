package services

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
)

// maxAskedTerms is how many terms of a query the index is asked for. What it gives is held against the whole query anyway.
const maxAskedTerms = 24

// ftsWays is how many ways of being reached are looked at apart on SQLite, whose compound queries are bounded. The rest are
// looked at as one.
const ftsWays = 50

// searchQuery is what is asked of the index.
type searchQuery struct {
	words   []string // folded: all of them have to be in title or body
	terms   []uint32
	ways    []way
	indexed int64 // the index knows everything up to here
	walked  bool  // a step was taken without it
	begun   bool  // it was asked
}

// way is an audience that the user is in, and since when.
type way struct {
	audience uint32
	since    int64
}

// search prepares for reading what has the listing's words and category; nil where the listing has none.
func (n *Notices) search(tx *gorm.DB, user *models.User, l Listing) (*searchQuery, error) {
	s := &searchQuery{words: strings.Fields(foldText(l.Text))}
	terms := termSet{}
	for _, word := range s.words {
		terms.ask(word)
	}
	s.terms = slices.Sorted(maps.Keys(terms))
	s.terms = s.terms[:min(len(s.terms), maxAskedTerms)]
	if l.Category != "" {
		s.terms = append(s.terms, termHash(termCategory, l.Category))
	}
	if len(s.terms) == 0 {
		return nil, nil //nolint:nilnil // no search is an answer here
	}
	if err := tx.Raw("SELECT indexed FROM search_state").Scan(&s.indexed).Error; err != nil {
		return nil, err
	}
	var groups []models.Membership
	if err := tx.Where("user_id = ?", user.ID).Find(&groups).Error; err != nil {
		return nil, err
	}
	s.ways = []way{{termHash(termAudience, userAudience(user.ID)), 0}, {termHash(termAudience, everyone), user.JoinedOffset}}
	for _, g := range groups {
		s.ways = append(s.ways, way{termHash(termAudience, groupAudience(g.GroupID)), g.JoinedOffset})
	}
	return s, nil
}

// due is whether it is the index's turn: it knows what lies before the offset, and what is newest was looked at without
// it. A word that is in every notice is found there at once, and small inboxes end there.
func (s *searchQuery) due(before int64) bool { return s != nil && s.walked && before <= s.indexed+1 }

// begins is whether it is the index's turn for the first time: nearly all that it gives is what was asked for.
func (s *searchQuery) begins(before int64) bool {
	if !s.due(before) || s.begun {
		return false
	}
	s.begun = true
	return true
}

// matches holds a notice against the words.
func (s *searchQuery) matches(row *noticeRow) bool {
	if s == nil || len(s.words) == 0 {
		return true
	}
	title, body := textOf(row.Payload)
	return holds(s.words, title, body)
}

// hitsPostgres is the offsets that have all the terms, newest first. The stretches of the log are looked through one after
// the other, and no further than a step. OFFSET 0 keeps the planner from walking the table instead of asking the index: it
// cannot know how rare a key is.
const hitsPostgres = `SELECT hit.log_offset FROM generate_series(CAST(@newest AS bigint), CAST(@oldest AS bigint), -1) AS stretch
	CROSS JOIN LATERAL (SELECT
		ARRAY(SELECT (stretch << 32) | term FROM unnest(CAST(@terms AS bigint[])) AS term) AS terms,
		ARRAY(SELECT (stretch << 32) | audience FROM unnest(CAST(@audiences AS bigint[]), CAST(@since AS bigint[])) AS way (audience, since)
			WHERE since < (stretch + 1) << %[1]d) AS ways OFFSET 0) AS asked
	CROSS JOIN LATERAL (SELECT log_offset FROM (SELECT log_offset FROM search_index WHERE keys @> asked.terms AND keys && asked.ways OFFSET 0) AS found
		WHERE log_offset > @after AND log_offset < @before ORDER BY log_offset DESC) AS hit LIMIT @step`

// hitsSQLite is the same for some of the ways. The index gives its rows in this order by itself.
const hitsSQLite = `SELECT log_offset FROM (SELECT rowid AS log_offset FROM search_index WHERE search_index MATCH '%s'
	AND rowid > max(@after, %d) AND rowid < @before ORDER BY rowid DESC LIMIT @step)`

// hits is the query for candidates by the index, and its parameters. It takes a hash for a term, and on PostgreSQL whole
// stretches of the log for what somebody may read: what it gives is still to be held against both.
func (n *Notices) hits(s *searchQuery, after, before int64) (query string, args map[string]any) {
	if n.db.Dialect == Postgres {
		audiences, since := make([]uint32, len(s.ways)), make([]string, len(s.ways))
		for i, w := range s.ways {
			audiences[i], since[i] = w.audience, fmt.Sprint(w.since)
		}
		return fmt.Sprintf(hitsPostgres, stretchBits), map[string]any{"newest": min(before-1, s.indexed) >> stretchBits, "oldest": after >> stretchBits,
			"terms": arrayOf(s.terms, 0), "audiences": arrayOf(audiences, 0), "since": "{" + strings.Join(since, ",") + "}"}
	}
	ways := slices.SortedFunc(slices.Values(s.ways), func(a, b way) int { return cmp.Compare(b.since, a.since) })
	all := ftsTokens(s.terms, " AND ")
	var queries []string
	for len(ways) > 0 {
		together := 1
		if len(queries) == ftsWays-1 {
			together = len(ways)
		}
		audiences := make([]uint32, together)
		for i, w := range ways[:together] {
			audiences[i] = w.audience
		}
		queries = append(queries, fmt.Sprintf(hitsSQLite, all+" AND ("+ftsTokens(audiences, " OR ")+")", ways[together-1].since))
		ways = ways[together:]
	}
	return "SELECT log_offset FROM (" + strings.Join(queries, " UNION ") + ") ORDER BY log_offset DESC LIMIT @step", map[string]any{}
}
