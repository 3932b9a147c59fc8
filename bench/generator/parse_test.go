package generator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// body is what a stream says: unmarked events, marked ones, line ends of both kinds.
func body(marks ...Mark) string {
	var b strings.Builder
	b.WriteString("event: hello\nretry: 2000\ndata: {}\nid: e-1\n\n: a comment\n\n")
	for i, m := range marks {
		fmt.Fprintf(&b, "event: notice\r\ndata: {\"title\":\"%s\"}\r\nid: e-%d\r\n\r\n", m.Append(nil), i+2)
	}
	b.WriteString("event: lock\ndata: {\"state\":\"locked\"}\n\n")
	return b.String()
}

var someMarks = []Mark{{0, 0, 1}, {12, 345, 1_790_000_000_123_456_789}, {9_999_999, 999_999_999, 1}}

const heardBody = `hello e-1 "{}"|  ""|notice e-2 {0 0 1}|notice e-3 {12 345 1790000000123456789}|notice e-4 {9999999 999999999 1}|lock  "{\"state\":\"locked\"}"`

// hear gives what is understood of an answer that comes in such pieces.
func hear(t *testing.T, pieces ...string) string {
	t.Helper()
	var r response
	e := events{marks: &markReader{}}
	var heard []string
	for _, piece := range pieces {
		_, err := r.take([]byte(piece), func(b []byte) {
			e.take(b, func(event *Event) {
				if event.Marked {
					heard = append(heard, fmt.Sprintf("%s %s %v", event.Name, event.ID, event.Mark))
				} else {
					heard = append(heard, fmt.Sprintf("%s %s %q", event.Name, event.ID, event.Data))
				}
			})
		})
		if err != nil {
			t.Fatalf("%q: %v", pieces, err)
		}
	}
	return strings.Join(heard, "|")
}

const (
	head        = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-type: text/event-stream\r\n"
	chunkedHead = head + "transfer-encoding: Chunked\r\n\r\n"
)

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

func TestEveryCutIsUnderstood(t *testing.T) {
	text := body(someMarks...)
	plain, joined := head+"\r\n"+text, chunkedHead+chunk(text)
	if got := hear(t, plain); got != heardBody {
		t.Fatalf("whole: %s", got)
	}
	for at := range len(joined) {
		if got := hear(t, joined[:at], joined[at:]); got != heardBody {
			t.Fatalf("cut at %d of %q: %s", at, joined, got)
		}
	}
	for at := 1; at < len(text); at++ { // chunks that end within a mark, and within a line end
		if got := hear(t, chunkedHead+chunk(text[:at])+chunk(text[at:])); got != heardBody {
			t.Fatalf("in two chunks, cut at %d: %s", at, got)
		}
	}
	for _, answer := range []string{plain, joined, chunkedHead + chunk(text[:100]) + chunk(text[100:])} {
		if got := hear(t, strings.Split(answer, "")...); got != heardBody {
			t.Fatalf("byte by byte: %s", got)
		}
	}
}

func TestAnswersEnd(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc":                                  "201 abc true",
		"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n":                                     "201  true",
		"HTTP/1.1 204 No Content\r\n\r\n":                                                       "204  true",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nab\r\n0\r\nA: b\r\n\r\n": "200 ab true",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n":                       "200 a false",
		"HTTP/1.1 200 OK\r\n\r\nab":                                                             "200 ab false",
	} {
		var r response
		var got string
		done := false
		for _, c := range strings.Split(answer, "") {
			var err error
			if done, err = r.take([]byte(c), func(b []byte) { got += string(b) }); err != nil {
				t.Fatal(err)
			}
		}
		if said := fmt.Sprintf("%d %s %v", r.status, got, done); said != want {
			t.Errorf("%q: %s, want %s", answer, said, want)
		}
	}
	for _, bad := range []string{"SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"} {
		var r response
		if _, err := r.take([]byte(bad), func([]byte) {}); err == nil {
			t.Errorf("%q is an answer", bad)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	text := []byte(chunk(body(someMarks...)))
	var r response
	e := events{marks: &markReader{}}
	n := 0
	each := func(*Event) { n++ }
	onBody := func(b []byte) { e.take(b, each) }
	_, _ = r.take([]byte(chunkedHead), onBody)
	_, _ = r.take(text, onBody)
	if allocs := testing.AllocsPerRun(100, func() { _, _ = r.take(text[:200], onBody); _, _ = r.take(text[200:], onBody) }); allocs > 0 {
		t.Errorf("%v allocations a piece", allocs)
	}
	if n == 0 {
		t.Error("nothing was read")
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(i*i) * time.Microsecond / 10
		all = append(all, d)
		h.Add(d)
	}
	slices.Sort(all)
	for _, of := range []float64{0.01, 0.5, 0.99, 0.999} {
		want := all[int(of*10_000)-1]
		if got := h.Share(of); got < want || float64(got) > 1.04*float64(want)+1 {
			t.Errorf("%v of all: %v, want %v", of, got, want)
		}
	}
	if h.Max() != all[9_999] || h.Share(1) != h.Max() || h.Count() != 10_000 {
		t.Errorf("max %v, %v of %d", h.Max(), h.Share(1), h.Count())
	}
	var none Histogram
	if none.Share(0.5) != 0 {
		t.Error("of none")
	}
}
