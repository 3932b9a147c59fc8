package faults_test

import "testing"

// TestLedgerFindsFaults plants one fault of each kind: a ledger that misses it would prove nothing.
func TestLedgerFindsFaults(t *testing.T) {
	one, two, bad := letter{1, 1}, letter{1, 2}, letter{1, 3}
	book := func() *ledger {
		l := newLedger()
		l.note(one, sent{[]string{"anna"}, acked, "e-1"})
		l.note(two, sent{[]string{"anna", "ben"}, replayed, "e-2"})
		l.note(bad, sent{[]string{"anna"}, refused, ""})
		l.note(letter{2, 1}, sent{[]string{"anna"}, unknown, ""})
		return l
	}
	good := []received{{cursor: "e-1", letter: one}, {cursor: "e-2", letter: two}}
	tests := map[string]struct {
		lines []received
		want  balance
	}{
		"none":                 {good, balance{delivered: 2}},
		"a repeat is none":     {append(good, good[0], good[1]), balance{delivered: 2, repeats: 2}},
		"unknown, delivered":   {append(good, received{cursor: "e-3", letter: letter{2, 1}}), balance{delivered: 3}},
		"lost":                 {good[:1], balance{delivered: 1, lost: 1}},
		"all lost":             {nil, balance{lost: 2}},
		"ids go back":          {[]received{good[1], good[0]}, balance{delivered: 2, disordered: 1}},
		"numbers go back":      {append(good, received{cursor: "e-9", letter: one}), balance{delivered: 3, disordered: 1, duplicates: 1, misplaced: 1}},
		"under two ids":        {append(good, received{cursor: "e-3", letter: two}), balance{delivered: 3, duplicates: 1, misplaced: 1}},
		"refused, delivered":   {append(good, received{cursor: "e-3", letter: bad}), balance{delivered: 3, phantoms: 1}},
		"never sent":           {append(good, received{cursor: "e-3", letter: letter{9, 9}}), balance{delivered: 3, phantoms: 1}},
		"another id than told": {[]received{good[0], {cursor: "e-5", letter: two}}, balance{delivered: 2, misplaced: 1}},
	}
	for name, tt := range tests {
		l := book()
		l.received["anna/desk"] = tt.lines
		tt.want.acked, tt.want.replayed, tt.want.refused, tt.want.unknown = 2, 1, 1, 1
		if got := l.balance(); got != tt.want {
			t.Errorf("%s:\n got %v\nwant %v", name, got, tt.want)
		}
	}
	l := book()
	l.received["ben/desk"] = good
	if got := l.balance(); got.foreign != 1 || got.faults() != 1 {
		t.Errorf("a foreign notice: %v", got)
	}
}
