// Package stream reads Belfry's event streams strictly: what a lenient reader would repair is an
// error here.
package stream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Event is one block of a text/event-stream.
type Event struct {
	ID    string // empty when the block has none
	Name  string // empty for an unnamed event
	Data  string
	Retry time.Duration // 0 when the block has none
}

// maxLine is more than any line of a notice can be: 16 KiB of text and of data, each byte escaped.
const maxLine = 1 << 20

// Scan reads events until the stream ends or each says no. A block that the end cuts short is no event. An
// error is a fault of the wire: a carriage return or NUL, an unknown field, a line without end.
func Scan(r io.Reader, each func(Event) bool) error {
	lines := bufio.NewScanner(r) // its buffer grows with the lines: there are thousands of readers
	lines.Buffer(nil, maxLine)
	lines.Split(wholeLine)
	var event Event
	var data []string
	for lines.Scan() {
		line := lines.Bytes()
		if at := bytes.IndexAny(line, "\r\x00"); at >= 0 {
			return fmt.Errorf("%q in a line: %q", line[at], line)
		}
		if len(line) > 0 {
			if err := event.field(string(line), &data); err != nil {
				return err
			}
			continue
		}
		event.Data = strings.Join(data, "\n")
		if !each(event) {
			return nil
		}
		event, data = Event{}, nil
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line of more than %d bytes", maxLine)
	}
	return nil // the end, well or not: the reader comes back
}

// wholeLine cuts at line feeds alone. What the end cuts short is no line.
func wholeLine(data []byte, _ bool) (advance int, token []byte, err error) {
	if at := bytes.IndexByte(data, '\n'); at >= 0 {
		return at + 1, data[:at:at], nil
	}
	return 0, nil, nil
}

func (e *Event) field(line string, data *[]string) error {
	name, value, found := strings.Cut(line, ": ")
	if !found {
		return fmt.Errorf("no field: %q", line)
	}
	switch name {
	case "id":
		e.ID = value
	case "event":
		e.Name = value
	case "data":
		*data = append(*data, value)
	case "retry":
		ms, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("a retry that is no number: %q", value)
		}
		e.Retry = time.Duration(ms) * time.Millisecond
	default:
		return fmt.Errorf("an unknown field: %q", line)
	}
	return nil
}
