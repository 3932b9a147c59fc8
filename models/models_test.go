package models_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"belfry/models"
)

func TestValidName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "A9", "jo.doe@example.org", "a_b+c-d", strings.Repeat("a", 64)} {
		if !models.ValidName(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{"", " a", "a ", ".a", "-a", "a b", "a/b", "é", "a\n", "a\x00", strings.Repeat("a", 65)} {
		if models.ValidName(name) {
			t.Errorf("%q is let through", name)
		}
	}
}

// Security: S30
func TestValidPassword(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]bool{
		"": false, "seven77": false, "eight888": true, "日本語日本語日": false, "日本語日本語日本": true,
		strings.Repeat("é", 1024): true, strings.Repeat("a", 1025): false,
	} {
		if got := models.ValidPassword(password); got != want {
			t.Errorf("%d bytes: %v", len(password), got)
		}
	}
}

func TestInstant(t *testing.T) {
	t.Parallel()
	i := models.InstantOf(time.Date(2024, 2, 29, 23, 59, 58, 7_999_999, time.FixedZone("", 3600)))
	text, err := json.Marshal(map[string]any{"at": i})
	if err != nil || string(text) != `{"at":"2024-02-29T22:59:58.007Z"}` {
		t.Errorf("%s, %v", text, err)
	}
	var back struct{ At models.Instant }
	if err := json.Unmarshal(text, &back); err != nil || back.At != i {
		t.Errorf("%v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"at":"2024-02-29T23:59:58+01:00"}`), &back); err != nil || back.At != i-7 {
		t.Errorf("another zone: %v, %v", back, err)
	}
	for _, bad := range []string{`"yesterday"`, `"2024-02-30T00:00:00Z"`, `"2024-02-29"`, `17`} {
		if err := json.Unmarshal([]byte(`{"at":`+bad+`}`), &back); err == nil {
			t.Errorf("%s is read as %v", bad, back.At)
		}
	}
}

func TestKeyScopes(t *testing.T) {
	t.Parallel()
	k := models.Key{ScopeList: "notices:write tickets:write"}
	if !slices.Equal(k.Scopes(), []models.Scope{models.ScopeNoticesWrite, models.ScopeTicketsWrite}) {
		t.Errorf("%v", k.Scopes())
	}
	if !k.Has(models.ScopeTicketsWrite) || k.Has(models.ScopeUsersWrite) || k.Has("tickets") || (&models.Key{}).Has("") {
		t.Error("a key has what it was given, and nothing else")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("the cause")
	wrapped := fmt.Errorf("while asking: %w", models.Unavailable(cause))
	if models.CodeOf(wrapped) != models.CodeUnavailable || !errors.Is(wrapped, cause) {
		t.Errorf("%v is %s", wrapped, models.CodeOf(wrapped))
	}
	if models.Unavailable(cause).RetryAfter <= 0 {
		t.Error("nobody is told when to come back")
	}
	if models.CodeOf(cause) != models.CodeInternal {
		t.Error("an unknown error is ours")
	}
	if e := models.InvalidField("title", "Too long."); e.Code != models.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != "title" {
		t.Errorf("%+v", e)
	}
}

// TestInstantIsWrittenAsItsLayout: all of them have as many characters, so texts sort as times do.
func TestInstantIsWrittenAsItsLayout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		i := models.Instant(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "ms since 1970")) // the years 1 to 9999
		want := i.Time().Format("2006-01-02T15:04:05.000Z")
		text, err := json.Marshal(i)
		if i.String() != want || err != nil || string(text) != `"`+want+`"` {
			t.Errorf("%s, %s, want %s", i, text, want)
		}
	})
}

func BenchmarkInstant(b *testing.B) {
	i := models.InstantOf(time.Now())
	for b.Loop() {
		_ = i.String()
	}
}
