package middleware

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestCheckText: what a decoder would replace without a word is found.
func TestCheckText(t *testing.T) {
	t.Parallel()
	for text, fits := range map[string]bool{
		"": true, `{"a":"b"}`: true, "\"🔔\"": true, `"\ud83d\udd14"`: true, `"\uD83D\uDD14"`: true, `"\\u0000"`: true, `"\\\\u0000"`: true,
		`"\\ud800"`: true, `"\n\t\"\/"`: true, `"\u00"`: true, `\`: true, `"\u000`: true, `"\u0001"`: true, `"\uffff"`: true, "\"\u2028\"": true, `"\ud83d\udd14\ud83d\udd14"`: true,
		`"\u0000"`: false, `"a\u0000"`: false, `"\\\u0000"`: false, "a\x00b": false, "\x00": false,
		`"\ud800"`: false, `"\udc00"`: false, `"\ud800\ud800"`: false, `"\udd14\ud83d"`: false, `"\ud83d\\udd14"`: false, `"\ud83d\n"`: false, `"\ud83d`: false, `"\ud83d\u`: false, `"\ud83d\u0041"`: false,
		`"\ud83d\udd14\ud83d"`: false, `"\uDFFF"`: false,
		"\xff": false, "\xc0\x80": false, "\xed\xa0\x80": false, "\"a\xe2\x28\xa1\"": false, "\xf4\x90\x80\x80": false,
	} {
		if err := CheckText([]byte(text)); (err == nil) != fits {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzCheckText: what passes and is JSON has no text that the decoder changed.
func FuzzCheckText(f *testing.F) {
	for _, seed := range []string{`"\ud800"`, `"\\ud800"`, `{"\u0000":["\ud83d\udd14"]}`, "\"\xff\"", `"\"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var v any
		if CheckText(raw) != nil || json.Unmarshal(raw, &v) != nil {
			return
		}
		// A replacement character that was not sent was put there in place of something else.
		sent := strings.Count(string(raw), "\ufffd") + strings.Count(strings.ToLower(string(raw)), `\ufffd`)
		if got := replacements(v); got > sent || !utf8.Valid(raw) {
			t.Errorf("%q: %d replacement characters came out, %d went in", raw, got, sent)
		}
	})
}

func replacements(v any) (n int) {
	switch v := v.(type) {
	case string:
		return strings.Count(v, "\ufffd") + 100*strings.Count(v, "\x00")
	case []any:
		for _, item := range v {
			n += replacements(item)
		}
	case map[string]any:
		for name, item := range v {
			n += replacements(name) + replacements(item)
		}
	}
	return n
}
