package hub

import (
	"bytes"
	"strconv"
	"time"
)

// Event is one block of a text/event-stream (HTML §9.2.6). Empty fields are left out.
type Event struct {
	ID    string
	Name  string
	Retry time.Duration // sent in ms
	Data  []byte
}

// Encode writes the block, blank line included. Every line end in the data (CRLF, CR or LF) begins a
// new data line, for a reader takes each of them as one; ID and Name must not hold any, and a line end in
// them is dropped together with what follows, so that no input can forge a field.
//
// The ID comes last: some clients take it to heart as soon as its line is there, and if the connection
// broke off in data behind it, they would never ask for this event again.
func (e Event) Encode() []byte {
	b := make([]byte, 0, len(e.Data)+len(e.ID)+len(e.Name)+48)
	if e.Name != "" {
		b = append(append(append(b, "event: "...), oneLine(e.Name)...), '\n')
	}
	if e.Retry > 0 {
		b = append(strconv.AppendInt(append(b, "retry: "...), e.Retry.Milliseconds(), 10), '\n')
	}
	rest := e.Data
	for {
		end := bytes.IndexAny(rest, "\r\n")
		if end < 0 {
			break
		}
		b = append(append(append(b, "data: "...), rest[:end]...), '\n')
		if rest[end] == '\r' && end+1 < len(rest) && rest[end+1] == '\n' {
			end++
		}
		rest = rest[end+1:]
	}
	b = append(append(append(b, "data: "...), rest...), '\n')
	if e.ID != "" {
		b = append(append(append(b, "id: "...), oneLine(e.ID)...), '\n')
	}
	return append(b, '\n')
}

func oneLine(s string) string {
	for i := range len(s) {
		if s[i] == '\r' || s[i] == '\n' || s[i] == 0 {
			return s[:i]
		}
	}
	return s
}
