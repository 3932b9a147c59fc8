package hub

import (
	"bytes"
	"strconv"
	"time"
)

// Frame is what is written for one event, encoded once for all who get it.
type Frame struct {
	Offset    int64 // 0: not from the log, never withheld
	Class     Class
	ExpiresAt int64 // ms since 1970 UTC: not replayed from then on; 0 = never

	written func() // see WhenWritten

	wire []byte        // one chunk of a chunked body (RFC 9112 §7.1): length, text, line end
	born time.Duration // when it was committed, since the hub began; before it is delivered, how long ago, less than 0
	void bool          // not replayed any more; under the hub's lock
	text int           // where the text begins in it
	name int           // how much of the text those do without who asked for events without a name
	head bool          // it begins with the head of the answer, without which nothing else makes sense
}

// NewFrame wraps an encoded event that is no entry of the log.
func NewFrame(text []byte) *Frame { return newFrame(nil, text) }

// newFrame is a chunk with something before it.
func newFrame(before, text []byte) *Frame {
	wire := make([]byte, 0, len(before)+chunkOverhead+len(text))
	wire = appendChunkHead(append(wire, before...), len(text))
	f := &Frame{text: len(wire)}
	f.wire = append(append(wire, text...), lineEnd...)
	return f
}

// Nameless says that the first n bytes of the text are a line that those do not get who asked for events without a
// name.
func (f *Frame) Nameless(n int) *Frame {
	f.name = n
	return f
}

// Committed says how long ago the entry was committed when it is delivered.
func (f *Frame) Committed(ago time.Duration) *Frame {
	f.born = -ago
	return f
}

// WhenWritten has fn be told of each connection that the frame was written to as it came, on the way: fn must be quick.
func (f *Frame) WhenWritten(fn func()) { f.written = fn }

// Text is the event as it is read.
func (f *Frame) Text(unnamed bool) []byte {
	text := f.wire[f.text : len(f.wire)-len(lineEnd)]
	if unnamed {
		return text[f.name:]
	}
	return text
}

// size is what it takes in a queue.
func (f *Frame) size() int { return len(f.wire) }

// appendTo appends the frame as it goes over the wire.
func (f *Frame) appendTo(b []byte, unnamed bool) []byte {
	if !unnamed || f.name == 0 {
		return append(b, f.wire...)
	}
	rest := f.wire[f.text+f.name:]
	return append(appendChunkHead(b, len(rest)-len(lineEnd)), rest...)
}

const (
	lineEnd       = "\r\n"
	lastChunk     = "0\r\n\r\n"
	chunkOverhead = 8 + 2*len(lineEnd) // the digits of a length that fits 32 bits, and two line ends
)

func appendChunkHead(b []byte, length int) []byte {
	return append(strconv.AppendInt(b, int64(length), 16), lineEnd...)
}

// over reports whether the frame is nothing any more for those who come late. Most frames never expire, and need no clock.
func (f *Frame) over() bool {
	return f.void || (f.ExpiresAt != 0 && f.ExpiresAt <= time.Now().UnixMilli())
}

// Class is a set of event kinds, one bit each. The hub does not know what they mean.
type Class uint8

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
func (e Event) Encode() []byte { return e.Append(make([]byte, 0, e.Size())) }

// Size is what Append adds at most, in bytes, where there is one line of data.
func (e Event) Size() int { return len(e.Data) + len(e.ID) + len(e.Name) + 48 }

// Append is Encode, behind what is there already.
func (e Event) Append(b []byte) []byte {
	if e.Name != "" {
		b = append(append(append(b, "event: "...), oneLine(e.Name)...), '\n')
	}
	if e.Retry > 0 {
		b = append(strconv.AppendInt(append(b, "retry: "...), e.Retry.Milliseconds(), 10), '\n')
	}
	rest := e.Data
	// To look for either byte by itself is five times as quick as for any of both, and JSON has neither.
	for broken := bytes.IndexByte(rest, '\n') >= 0 || bytes.IndexByte(rest, '\r') >= 0; broken; {
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
