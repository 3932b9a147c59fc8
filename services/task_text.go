package services

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"belfry/services/hub"
)

const (
	// maxTaskEvent is the most that one event takes on its way: what Spring's WebFlux takes by default, and then gives the stream up,
	// is 256 KiB.
	maxTaskEvent = 250 << 10
	// taskLine is how long a line may be and still go out whole. A longer one goes out in pieces of this size: a byte that is no
	// UTF-8 becomes three.
	taskLine = 64 << 10
	// taskPiece is how much one event of JSON carries, but for a rune that is cut: in JSON a byte may take six.
	taskPiece = 32 << 10
)

// pieceEnd is how far an event of JSON from a place goes: to a multiple of its size, so that those who began at places of their
// own soon read the same. So near before one that only a part of a rune may be left it is the one after.
func pieceEnd(from int64) int64 { return ((from+utf8.UTFMax)/taskPiece + 1) * taskPiece }

// ParseLogPlace reads a byte's place in a log: decimal, without leading zeros. One that no log reaches is the furthest there
// is.
func ParseLogPlace(text string) (int64, bool) {
	if text == "" || (text[0] == '0' && len(text) > 1) {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return math.MaxInt64, true // of digits alone it can only be too large
	}
	return at, true
}

func logPlaceText(at int64) string { return strconv.FormatInt(at, 10) }

// wholeLines tells how much of the text is whole lines. CRLF, CR and LF all end one, so a CR at the end says nothing yet: it
// may be half of a CRLF. What ends the log for good is whole.
func wholeLines(text []byte, last bool) int {
	if last {
		return len(text)
	}
	end := bytes.LastIndexAny(text, "\r\n")
	if end >= 0 && end == len(text)-1 && text[end] == '\r' {
		end = bytes.LastIndexAny(text[:end], "\r\n")
	}
	return end + 1
}

// fitting tells how much of whole lines goes out as one event: as many as it has room for, but one at least, or the first
// piece of that.
func fitting(lines []byte) int {
	const perLine = len("data: \n")
	size := len(lines) + perLine*(1+bytes.Count(lines, []byte("\n"))+bytes.Count(lines, []byte("\r")))
	if !utf8.Valid(lines) {
		size += 2 * len(lines)
	}
	if size <= maxTaskEvent {
		return len(lines)
	}
	size = 0
	for n := 0; n < len(lines); {
		line := len(lines) - n
		if end := bytes.IndexAny(lines[n:], "\r\n"); end >= 0 {
			line = end + 1
			if bytes.HasPrefix(lines[n+end:], []byte("\r\n")) {
				line++
			}
		}
		switch size += 3*line + perLine; {
		case n > 0 && (size > maxTaskEvent || line > taskLine):
			return n
		case line > taskLine:
			return cutLine(lines)
		}
		n += line
	}
	return len(lines)
}

// cutLine tells how much of a line that is too long goes out first: no rune is cut, nor a CRLF that may follow.
func cutLine(text []byte) int {
	n := taskLine
	if text[n-1] == '\r' {
		n--
	}
	return n - partial(text[:n])
}

// partial is how many bytes at the end may be the beginning of a rune.
func partial(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		tail := text[len(text)-n:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// linesEvent is the event that carries whole lines, up to a place. An event stream is UTF-8, so what is not is replaced here
// as a browser would (WHATWG Encoding §4.1).
func linesEvent(lines []byte, upTo int64) []byte {
	switch {
	case bytes.HasSuffix(lines, []byte("\r\n")):
		lines = lines[:len(lines)-2]
	case len(lines) > 0 && (lines[len(lines)-1] == '\n' || lines[len(lines)-1] == '\r'):
		lines = lines[:len(lines)-1]
	}
	if !utf8.Valid(lines) {
		if decoded, err := unicode.UTF8.NewDecoder().Bytes(lines); err == nil { // it never fails
			lines = decoded
		}
	}
	return hub.Event{ID: logPlaceText(upTo), Data: lines}.Encode()
}

// nextPiece tells how much of the text goes out as one event of JSON, and whether it is text. A rune that is cut by the end
// waits for its rest; only what is no UTF-8, and will not be, goes out as bytes: to the last such byte, or all between would
// be an event each. 0 = nothing yet.
func nextPiece(text []byte, last bool) (n int, isText bool) {
	text = text[:min(len(text), taskPiece+utf8.UTFMax)]
	whole := len(text)
	if !last || whole == taskPiece+utf8.UTFMax {
		whole -= partial(text)
	}
	wrong := 0 // behind the last byte that is no text
	for i := 0; i < whole; {
		r, size := utf8.DecodeRune(text[i:whole])
		i += size
		if r == utf8.RuneError && size == 1 {
			if wrong == 0 && i > 1 {
				return i - 1, true // what stands before it
			}
			wrong = i
		}
	}
	if wrong > 0 {
		return wrong, false
	}
	return whole, true
}

// pieceData is what an event of JSON says.
type pieceData struct {
	Offset int64   `json:"offset"`
	Text   *string `json:"text,omitempty"`
	Base64 *string `json:"base64,omitempty"`
}

func pieceEvent(piece []byte, from int64, isText bool) ([]byte, error) {
	data := pieceData{Offset: from}
	if isText {
		text := string(piece)
		data.Text = &text
	} else {
		text := base64.StdEncoding.EncodeToString(piece)
		data.Base64 = &text
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(data); err != nil {
		return nil, err
	}
	return hub.Event{ID: logPlaceText(from + int64(len(piece))), Data: bytes.TrimSuffix(body.Bytes(), []byte("\n"))}.Encode(), nil
}
