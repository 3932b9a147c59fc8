package services

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// plainLines is what a log's lines are, told in the plainest way: a CRLF is one end, then so is a CR or LF that is left.
func plainLines(text []byte) []string {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text)), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1] // what follows the last end is no line
	}
	return lines
}

// drawLog makes a text of what tends to go wrong at the cuts.
func drawLog(t *rapid.T) []byte {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "bc", "\r", "\n", "\r\n", "\n\n", "\r\r\n", "é", "漢字", "🔔", "\x00", "\x1b[31m", "\xff", "\xe2\x82", "\xf0\x9f", "data: x", ":"}), 0, 60).Draw(t, "parts")
	return []byte(strings.Join(parts, ""))
}

// cuts are the places at which a log was, one after the other, as far as a reader saw.
func drawCuts(t *rapid.T, end int) []int {
	cuts := rapid.SliceOfN(rapid.IntRange(0, end), 0, 8).Draw(t, "cuts")
	cuts = append(cuts, end)
	for i := 1; i < len(cuts); i++ {
		cuts[i] = max(cuts[i], cuts[i-1])
	}
	return cuts
}

// TestWholeLines holds what goes out, however the log grew, against the lines of the whole.
func TestWholeLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := drawLog(t)
		cuts := drawCuts(t, len(text))
		var lines []string
		pos := 0
		for i := 0; i <= len(cuts); i++ {
			last := i == len(cuts)
			seen := text[pos:cuts[min(i, len(cuts)-1)]]
			n := wholeLines(seen, last)
			if n == 0 {
				continue
			}
			if !last && text[pos+n-1] == '\r' && text[pos+n] == '\n' {
				t.Fatalf("a CRLF is cut at %d", pos+n)
			}
			pos += n
			for _, e := range eventsOf(t, linesEvent(seen[:n], int64(pos))) {
				if e.id != logPlaceText(int64(pos)) {
					t.Fatalf("id %s at %d", e.id, pos)
				}
				lines = append(lines, strings.Split(e.data, "\n")...)
			}
		}
		want := plainLines(text)
		for i := range want {
			want[i] = string(decodeWHATWG([]byte(want[i])))
		}
		if pos != len(text) || strings.Join(lines, "\n") != strings.Join(want, "\n") || len(lines) != len(want) {
			t.Fatalf("%q: %q, want %q", text, lines, want)
		}
	})
}

// decodeWHATWG replaces each longest beginning of a rune that does not go on, and each byte that begins none.
func decodeWHATWG(text []byte) (decoded []byte) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			for n := 2; n <= min(3, len(text)) && !utf8.FullRune(text[:n]); n++ {
				size = n
			}
		}
		decoded, text = utf8.AppendRune(decoded, r), text[size:]
	}
	return decoded
}

// TestPieces: what goes out as JSON is the log, byte by byte, and text wherever it is text.
func TestPieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := drawLog(t)
		cuts := drawCuts(t, len(text))
		var got []byte
		for i := 0; i <= len(cuts); {
			last := i == len(cuts)
			seen := text[len(got):cuts[min(i, len(cuts)-1)]]
			n, isText := nextPiece(seen, last)
			if n == 0 {
				if last && len(seen) > 0 {
					t.Fatalf("%q: %d bytes stay", text, len(seen))
				}
				i++
				continue
			}
			piece := seen[:n]
			if isText != utf8.Valid(piece) {
				t.Fatalf("%q goes out as text: %t", piece, isText)
			}
			event, err := pieceEvent(piece, int64(len(got)), isText)
			if err != nil {
				t.Fatal(err)
			}
			back, offset := pieceOf(t, eventsOf(t, event)[0])
			if !bytes.Equal(back, piece) || offset != int64(len(got)) {
				t.Fatalf("%q at %d came back as %q at %d", piece, len(got), back, offset)
			}
			got = append(got, piece...)
		}
		if utf8.Valid(text) && len(got) != len(text) {
			t.Fatalf("%d of %d", len(got), len(text))
		}
		if !bytes.Equal(got, text) {
			t.Fatalf("%q, want %q", got, text)
		}
	})
}

// TestPieceStaysText: a log that is UTF-8 never goes out as bytes, wherever it is cut.
func TestPieceStaysText(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("漢🔔é", 20))
	for cut := range text {
		n, isText := nextPiece(text[:cut], false)
		if !isText || cut-n >= utf8.UTFMax {
			t.Errorf("cut at %d: %d bytes, text %t", cut, n, isText)
		}
	}
}

func TestLongLineIsCut(t *testing.T) {
	t.Parallel()
	for _, tail := range []string{"xxxx", "漢字漢", "🔔🔔", "xxx\r"} {
		text := append(bytes.Repeat([]byte("x"), taskLine-2), tail...)
		n := cutLine(text)
		if n > taskLine || n < taskLine-4 || !utf8.Valid(text[:n]) || text[n-1] == '\r' {
			t.Errorf("%q is cut behind %q", tail, text[taskLine-4:n])
		}
	}
}

func TestParseLogPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "1": 1, "10": 10, "9223372036854775807": 1<<63 - 1, "9223372036854775808": 1<<63 - 1, strings.Repeat("9", 60): 1<<63 - 1} {
		if at, ok := ParseLogPlace(text); !ok || at != want {
			t.Errorf("%q: %d %t", text, at, ok)
		}
	}
	for _, text := range []string{"", "-1", "+1", "01", "00", "1.0", "1e3", " 1", "1 ", "x", "abc-1", "０"} {
		if _, ok := ParseLogPlace(text); ok {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzTaskText(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\n"), uint16(2))
	f.Add([]byte("\xe2\x82\xac"), uint16(1))
	f.Fuzz(func(t *testing.T, text []byte, at uint16) {
		cut := min(int(at), len(text))
		n := wholeLines(text[:cut], false)
		whole := append(plainLines(text[:n]), plainLines(text[n:])...)
		if strings.Join(whole, "\n") != strings.Join(plainLines(text), "\n") {
			t.Errorf("%q cut at %d: %q", text, n, whole)
		}
		if n, isText := nextPiece(text[:cut], false); n > 0 && isText && !utf8.Valid(text[:n]) {
			t.Errorf("%q is no text", text[:n])
		}
	})
}

type fataler interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// eventsOf reads events as a browser does, but for what only a hostile server sends.
func eventsOf(t fataler, stream []byte) (events []sseEvent) {
	for block := range bytes.SplitSeq(bytes.TrimSuffix(stream, []byte("\n\n")), []byte("\n\n")) {
		var e sseEvent
		var data []string
		for line := range strings.SplitSeq(string(block), "\n") {
			switch field, value, _ := strings.Cut(line, ": "); field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				data = append(data, value)
			case "retry":
				e.retry = value
			default:
				t.Fatalf("a line %q", line)
			}
		}
		e.data = strings.Join(data, "\n")
		events = append(events, e)
	}
	return events
}

// pieceOf reads an event of JSON.
func pieceOf(t fataler, e sseEvent) (piece []byte, offset int64) {
	var data pieceData
	if err := json.Unmarshal([]byte(e.data), &data); err != nil || (data.Text == nil) == (data.Base64 == nil) {
		t.Fatalf("%v: %+v", err, e)
	}
	if data.Text != nil {
		return []byte(*data.Text), data.Offset
	}
	piece, err := base64.StdEncoding.DecodeString(*data.Base64)
	if err != nil {
		t.Fatal(err)
	}
	return piece, data.Offset
}
