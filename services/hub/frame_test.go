package hub_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"belfry/services/hub"
)

// Security: S34
func TestEncode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		event hub.Event
		want  string
	}{
		{"all fields", hub.Event{ID: "e-1", Name: "notice", Retry: 1500 * time.Millisecond, Data: []byte("{}")}, "event: notice\nretry: 1500\ndata: {}\nid: e-1\n\n"},
		{"data alone", hub.Event{Data: []byte("x")}, "data: x\n\n"},
		{"no data is still an event", hub.Event{Name: "ping"}, "event: ping\ndata: \n\n"},
		{"LF", hub.Event{Data: []byte("a\nb")}, "data: a\ndata: b\n\n"},
		{"CR", hub.Event{Data: []byte("a\rb")}, "data: a\ndata: b\n\n"},
		{"CRLF is one line end", hub.Event{Data: []byte("a\r\nb")}, "data: a\ndata: b\n\n"},
		{"LFCR is two", hub.Event{Data: []byte("a\n\rb")}, "data: a\ndata: \ndata: b\n\n"},
		{"CR at the end", hub.Event{Data: []byte("a\r")}, "data: a\ndata: \n\n"},
		{"a blank line within", hub.Event{Data: []byte("a\n\nb")}, "data: a\ndata: \ndata: b\n\n"},
		{"line ends alone", hub.Event{Data: []byte("\n\r\n")}, "data: \ndata: \ndata: \n\n"},
		{"a leading space is kept", hub.Event{Data: []byte(" a")}, "data:  a\n\n"},
		{"a colon", hub.Event{Data: []byte(":a: b")}, "data: :a: b\n\n"},
		{"a forged field", hub.Event{Data: []byte("a\nid: 7\n\ndata: b")}, "data: a\ndata: id: 7\ndata: \ndata: data: b\n\n"},
		{"a byte order mark", hub.Event{Data: []byte("\ufeffa")}, "data: \ufeffa\n\n"},
		{"line separators of Unicode are no line ends", hub.Event{Data: []byte("a\u2028b\u2029c\u0085d\vе\f")}, "data: a\u2028b\u2029c\u0085d\vе\f\n\n"},
		{"NUL in data", hub.Event{Data: []byte("a\x00b")}, "data: a\x00b\n\n"},
		{"NUL in the id", hub.Event{ID: "e-1\x00e-9", Data: []byte("x")}, "data: x\nid: e-1\n\n"},
		{"a line end in the id", hub.Event{ID: "e-1\ndata: forged", Data: []byte("x")}, "data: x\nid: e-1\n\n"},
		{"a line end in the name", hub.Event{Name: "lock\r\rdata: forged", Data: []byte("x")}, "event: lock\ndata: x\n\n"},
		{"less than a millisecond of retry", hub.Event{Retry: time.Millisecond, Data: []byte("x")}, "retry: 1\ndata: x\n\n"},
	} {
		if got := string(c.event.Encode()); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestParserReadsTheStandard holds the tests' own parser to what the standard says of streams that
// are not ours.
func TestParserReadsTheStandard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stream string
		want   []event
	}{
		{"\xef\xbb\xbfdata: 1\n\n", []event{{data: "1"}}},
		{"data\n\ndata\ndata\n\ndata:", []event{{data: ""}, {data: "\n"}}},
		{"data:test\n\ndata: test\n\n", []event{{data: "test"}, {data: "test"}}},
		{": comment\ndata: x\r\rdata: y\r\n\r\n", []event{{data: "x"}, {data: "y"}}},
		{"id: 1\ndata: x\n\ndata: y\n\nid\ndata: z\n\n", []event{{id: "1", data: "x"}, {id: "1", data: "y"}, {data: "z"}}},
		{"id: a\x00b\ndata: x\n\n", []event{{data: "x"}}},
		{"retry: 1x\nretry: 20\nevent: e\ndata: x\n\n", []event{{name: "e", retry: "20", data: "x"}}},
		{"event: e\n\ndata: x\n\n", []event{{data: "x"}}},
	} {
		if got := parse([]byte(c.stream)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, want %+v", c.stream, got, c.want)
		}
	}
}

// FuzzEncode: whatever goes in, a reader gets exactly one event, with the same data but for the kind
// of its line ends, and nothing in it can forge a field.
//
// Security: S34
func FuzzEncode(f *testing.F) {
	f.Add("e-1", "notice", []byte("{\"a\":1}"))
	f.Add("", "", []byte(""))
	f.Add("e-1\nevent: x", "a\rb", []byte("a\r\n\r\rb\n"))
	f.Add("\x00", "\ufeff", []byte(":\x00\xff\ufeff\n\ndata: x\nid: 9\n\n"))
	f.Add("\n", ":", []byte(" \r"))
	f.Fuzz(func(t *testing.T, id, name string, data []byte) {
		one := func(s string) string {
			if end := strings.IndexAny(s, "\r\n\x00"); end >= 0 {
				s = s[:end]
			}
			return s
		}
		want := event{id: one(id), name: one(name), retry: "7",
			data: strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))}
		stream := hub.Event{ID: id, Name: name, Retry: 7 * time.Millisecond, Data: data}.Encode()
		// Twice, so that what one block leaves open would show in the next.
		got := parse(append(append([]byte{}, stream...), stream...))
		if len(got) != 2 || got[0] != want || got[1] != want {
			t.Errorf("id %q, name %q, data %q were read as %+v", id, name, data, got)
		}
	})
}
