package stream_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"belfry/bench/stream"
)

func TestScanRepairsNothing(t *testing.T) {
	hello := stream.Event{ID: "e-1", Name: "hello", Data: "a\nb", Retry: 2 * time.Second}
	const block = "event: hello\nretry: 2000\ndata: a\ndata: b\nid: e-1\n\n"
	tests := map[string]struct {
		text string
		want []stream.Event
		bad  bool
	}{
		"whole":               {block + "data: x\n\n", []stream.Event{hello, {Data: "x"}}, false},
		"cut in the data":     {block + "data: x", []stream.Event{hello}, false},
		"cut before its end":  {block + "data: x\n", []stream.Event{hello}, false},
		"spaces are kept":     {"data:  x \n\n", []stream.Event{{Data: " x "}}, false},
		"a carriage return":   {block + "data: x\r\n\n", []stream.Event{hello}, true},
		"a NUL":               {"data: \x00\n\n", nil, true},
		"an unknown field":    {"datum: x\n\n", nil, true},
		"a comment":           {": x\n\n", nil, true},
		"a line without name": {"x\n\n", nil, true},
		"retry is no number":  {"retry: 1s\n\n", nil, true},
		"a line without end":  {"data: " + strings.Repeat("x", 2<<20), nil, true},
	}
	for name, tt := range tests {
		var got []stream.Event
		err := stream.Scan(strings.NewReader(tt.text), func(e stream.Event) bool {
			got = append(got, e)
			return true
		})
		if !reflect.DeepEqual(got, tt.want) || (err != nil) != tt.bad {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
