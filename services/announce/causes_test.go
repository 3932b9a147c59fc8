package announce_test

import (
	"strings"
	"testing"

	"belfry/internal/testpg"
	"belfry/services/journal"
	"belfry/services/tracing"
)

// TestCausesReachTheOthers: what brought an entry into the log is known where it is delivered; what is none is not heard.
func TestCausesReachTheOthers(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	one, two := start(t, address), start(t, address)
	drained(t, address, one, two)
	parent := "00-" + strings.Repeat("ab", 16) + "-" + strings.Repeat("cd", 8) + "-01"
	entries := upTo(7)
	for offset := int64(8); offset <= 300; offset++ { // more than fit
		entries = append(entries, journal.Entry{Offset: offset, Cause: &tracing.Cause{Request: "request-8", Parent: parent}})
	}
	entries[2].Cause = &tracing.Cause{Request: "request-9"}
	one.Announce("e", entries)
	awaitHint(t, two)
	for offset, want := range map[int64]*tracing.Cause{7: nil, 8: {Request: "request-8", Parent: parent}} {
		if got := two.Cause(offset); (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("the cause of %d is %v", offset, got)
		}
	}
	if got := two.Cause(9); got == nil || *got != (tracing.Cause{Request: "request-9"}) {
		t.Errorf("the cause of 9 is %v", got)
	}
	if two.Cause(11) == nil || two.Cause(10) != nil {
		t.Error("one is missing, or what lies before it is not forgotten")
	}
	if two.Cause(12) == nil || two.Cause(9) != nil || two.Cause(300) != nil || one.Cause(11) != nil {
		t.Error("one is missing, or known twice, or beyond what a hint takes, or on its own node")
	}
	for _, text := range []string{"", "400", "400;", "400;x request =", "400;401 request", "400;401 a;b =", "400;401 a\tb =", "400;401 request 00-short"} {
		query(t, address, "SELECT pg_notify('belfry_log', '"+text+"')")
		awaitHint(t, two)
		if got := two.Cause(401); got != nil {
			t.Errorf("%q is heard as %v", text, got)
		}
	}
}
