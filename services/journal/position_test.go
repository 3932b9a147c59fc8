package journal_test

import (
	"math"
	"strings"
	"testing"

	"belfry/services/journal"
)

func TestParsePosition(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("e", journal.MaxPosition-2) + "-1"
	for _, c := range []struct {
		text string
		want journal.Position
		ok   bool
	}{
		{"abc0-0", journal.Position{Epoch: "abc0"}, true},
		{"0-1", journal.Position{Epoch: "0", Offset: 1}, true},
		{"e-9223372036854775807", journal.Position{Epoch: "e", Offset: math.MaxInt64}, true},
		{longest, journal.Position{Epoch: strings.Repeat("e", journal.MaxPosition-2), Offset: 1}, true},
		{"e" + longest, journal.Position{}, false},
		{"e-9223372036854775808", journal.Position{}, false},
		{"e-99999999999999999999999999", journal.Position{}, false},
		{"", journal.Position{}, false},
		{"-", journal.Position{}, false},
		{"e", journal.Position{}, false},
		{"e-", journal.Position{}, false},
		{"-1", journal.Position{}, false},
		{"e--1", journal.Position{}, false},
		{"e-+1", journal.Position{}, false},
		{"e-01", journal.Position{}, false},
		{"e-00", journal.Position{}, false},
		{"e-1-2", journal.Position{}, false},
		{"e-1 ", journal.Position{}, false},
		{" e-1", journal.Position{}, false},
		{"E-1", journal.Position{}, false},
		{"e_-1", journal.Position{}, false},
		{"é-1", journal.Position{}, false},
		{"e-１", journal.Position{}, false},
		{"e-1\x00", journal.Position{}, false},
		{"e\x00-1", journal.Position{}, false},
		{"e-0x1", journal.Position{}, false},
		{"e-1_000", journal.Position{}, false},
	} {
		got, ok := journal.ParsePosition(c.text)
		if ok != c.ok || got != c.want {
			t.Errorf("%q: %+v, %v; want %+v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

// FuzzParsePosition: what is taken for a position is written the same way again, and never negative.
func FuzzParsePosition(f *testing.F) {
	for _, seed := range []string{"abc-12", "0-0", "e-9223372036854775807", "e-01", "-", "e--1", "E-1", "e-1\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := journal.ParsePosition(text)
		switch {
		case !ok && p != journal.Position{}:
			t.Errorf("%q is no position, and gives %+v", text, p)
		case ok && (p.String() != text || p.Offset < 0 || len(text) > journal.MaxPosition):
			t.Errorf("%q is read as %s", text, p)
		}
	})
}
