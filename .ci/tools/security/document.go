package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// notApplying begins the cell of a row that no test can show, before its reason.
const notApplying = "Does not apply: "

// row is a requirement of the document.
type row struct {
	id, requirement, source string
	tests                   string // the cell as it stands
	reason                  string // why it does not apply; empty = it does
}

// rowPattern is a line of one of the two tables: S rows are of sessions and signing in, L rows of the lock.
var rowPattern = regexp.MustCompile(`^\| ([SL]\d+) \| (.+) \| (.+) \| ?(.*?) ?\|$`)

func readRows(text string) (rows []row) {
	for line := range strings.Lines(text) {
		cells := rowPattern.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if cells == nil {
			continue
		}
		r := row{id: cells[1], requirement: cells[2], source: cells[3], tests: cells[4]}
		r.reason, _ = strings.CutPrefix(r.tests, notApplying)
		if r.reason == r.tests {
			r.reason = ""
		}
		rows = append(rows, r)
	}
	return rows
}

// fillIn writes the tests of each row into its cell. A row without any keeps its reason.
func fillIn(text string, tests []test) string {
	var filled strings.Builder
	for line := range strings.Lines(text) {
		if rows := readRows(line); len(rows) == 1 {
			if cell := cellOf(rows[0], tests); cell != rows[0].tests {
				line = fmt.Sprintf("| %s | %s | %s | %s |\n", rows[0].id, rows[0].requirement, rows[0].source, cell)
			}
		}
		filled.WriteString(line)
	}
	return filled.String()
}

func cellOf(r row, tests []test) string {
	var names []string
	for _, t := range tests {
		if t.bears(r.id) {
			names = append(names, "`"+t.name()+"`")
		}
	}
	if len(names) == 0 && r.reason != "" {
		return r.tests
	}
	return strings.Join(names, ", ")
}

// check finds what is wrong with the document itself: a row twice, a test that bears a row which is none, a cell that
// does not say what the tests say.
func check(text string, rows []row, tests []test) error {
	var ids []string
	var faults []error
	for _, r := range rows {
		if slices.Contains(ids, r.id) {
			faults = append(faults, fmt.Errorf("%s stands there twice", r.id))
		}
		ids = append(ids, r.id)
	}
	for _, t := range tests {
		for _, id := range t.rows {
			if !slices.Contains(ids, id) {
				faults = append(faults, fmt.Errorf("%s bears %s, which is no row", t.name(), id))
			}
		}
	}
	if len(rows) == 0 {
		faults = append(faults, errors.New("no row was found"))
	}
	if fillIn(text, tests) != text {
		faults = append(faults, errors.New("the column of tests is not what the tests say: run this with -write"))
	}
	return errors.Join(faults...)
}
