package faults_test

import "testing"

// TestLedgerFindsFaults plants one fault of each kind: a ledger that misses it would prove nothing.
func TestLedgerFindsFaults(t *testing.T) {
	one, two, bad, maybe := letter{1, 1}, letter{1, 2}, letter{1, 3}, letter{2, 1}
	at := func(offset int64, which letter) received { return received{at: position{"e", offset}, letter: which} }
	next := func(offset int64, which letter) received { return received{at: position{"f", offset}, letter: which} }
	good := []received{at(1, one), at(2, two)}
	wrong := func(list ...kind) (counts [kinds]int) {
		for _, k := range list {
			counts[k]++
		}
		return counts
	}
	skip := []reset{{1, position{"e", 1}, position{"e", 2}}}
	anew := []reset{{1, position{"e", 1}, position{"f", 1}}}
	tests := map[string]struct {
		lines  []received
		resets []reset
		want   balance
	}{
		"none":                    {good, nil, balance{delivered: 2}},
		"a repeat is none":        {append(good, good[0], good[1]), nil, balance{delivered: 2, repeats: 2}},
		"unknown, delivered":      {append(good, at(3, maybe)), nil, balance{delivered: 3}},
		"lost":                    {good[:1], nil, balance{delivered: 1, wrong: wrong(lost)}},
		"all lost":                {nil, nil, balance{wrong: wrong(lost, lost)}},
		"passed over":             {good[1:], nil, balance{delivered: 1, wrong: wrong(lost, gap)}},
		"told":                    {good[:1], skip, balance{delivered: 1, told: 1}},
		"told of another":         {good[1:], skip, balance{delivered: 1, wrong: wrong(lost, gap)}},
		"told, another epoch":     {append(good[:1:1], next(3, maybe)), anew, balance{delivered: 2, told: 1}},
		"again after another":     {append(good, next(3, one)), []reset{{2, position{"e", 2}, position{"f", 1}}}, balance{delivered: 3}},
		"another epoch, not told": {append(good, next(3, maybe)), nil, balance{delivered: 3, wrong: wrong(gap)}},
		"ids go back":             {[]received{good[1], good[0]}, nil, balance{delivered: 2, wrong: wrong(disorder, disorder)}},
		"numbers go back":         {append(good, at(9, one)), nil, balance{delivered: 3, wrong: wrong(disorder, duplicate, misplaced)}},
		"under two ids":           {append(good, at(3, two)), nil, balance{delivered: 3, wrong: wrong(duplicate, misplaced)}},
		"refused, delivered":      {append(good, at(3, bad)), nil, balance{delivered: 3, wrong: wrong(phantom)}},
		"never sent":              {append(good, at(3, letter{9, 9})), nil, balance{delivered: 3, wrong: wrong(phantom)}},
		"another id than told":    {[]received{good[0], at(5, two)}, nil, balance{delivered: 2, wrong: wrong(misplaced)}},
	}
	for name, tt := range tests {
		l := planted(one, two, bad, maybe)
		l.books["anna/desk"] = &book{tt.lines, tt.resets}
		tt.want.acked, tt.want.replayed, tt.want.refused, tt.want.unknown = 2, 1, 1, 1
		got, found := l.balance()
		if got != tt.want || len(found) != got.faults() {
			t.Errorf("%s:\n got %v\nwant %v\n%v", name, got, tt.want, found)
		}
	}
	l := planted(one, two, bad, maybe)
	l.books["ben/desk"] = &book{lines: good}
	if got, _ := l.balance(); got.wrong != wrong(foreign) {
		t.Errorf("a foreign notice: %v", got)
	}
}

// planted is a ledger of four letters, of which anna has to get the first two.
func planted(one, two, bad, maybe letter) *ledger {
	l := newLedger()
	l.note(one, sent{to: []string{"anna"}, outcome: acked, at: position{"e", 1}})
	l.note(two, sent{to: []string{"anna", "ben"}, outcome: replayed, at: position{"e", 2}})
	l.note(bad, sent{to: []string{"anna"}, outcome: refused})
	l.note(maybe, sent{to: []string{"anna"}})
	return l
}

func TestLedgerLooksIntoInboxes(t *testing.T) {
	one, two, bad, maybe := letter{1, 1}, letter{1, 2}, letter{1, 3}, letter{2, 1}
	at := func(offset int64, which letter) received { return received{at: position{"e", offset}, letter: which} }
	tests := map[string]struct {
		ben  []received
		want kind
	}{
		"missing": {nil, lost},
		"twice":   {[]received{at(2, two), at(3, two)}, duplicate},
		"refused": {[]received{at(2, two), at(3, bad)}, phantom},
		"foreign": {[]received{at(2, two), at(1, one)}, foreign},
	}
	for name, tt := range tests {
		l := planted(one, two, bad, maybe)
		l.hasRead("anna", []received{at(1, one), at(2, two), at(3, maybe)})
		l.hasRead("ben", tt.ben)
		got, _ := l.balance()
		if got.wrong[tt.want] != 1 || got.faults() != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
	l := planted(one, two, bad, maybe)
	l.hasRead("anna", []received{at(1, one)})
	l.gone = func(line sent) bool { return line.at.offset == 2 }
	if got, _ := l.balance(); got.faults() != 0 || got.void != 2 {
		t.Errorf("what went with its database: %v", got)
	}
}
