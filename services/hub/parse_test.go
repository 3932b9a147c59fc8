package hub_test

import (
	"bytes"
	"strings"
)

// event is what a reader makes of a block.
type event struct {
	id, name, data string
	retry          string
}

// parse reads an event stream as a browser does (HTML §9.2.6), without decoding UTF-8, so that bytes
// can be compared.
func parse(stream []byte) (events []event) {
	stream = bytes.TrimPrefix(stream, []byte("\xef\xbb\xbf"))
	var e event
	var data []byte
	lastID := ""
	for {
		end := bytes.IndexAny(stream, "\r\n")
		if end < 0 {
			return events // a line without its end is dropped, and the event with it
		}
		line := stream[:end]
		if stream[end] == '\r' && end+1 < len(stream) && stream[end+1] == '\n' {
			end++
		}
		stream = stream[end+1:]
		if len(line) == 0 {
			if len(data) > 0 {
				e.id, e.data = lastID, strings.TrimSuffix(string(data), "\n")
				events = append(events, e)
			}
			e, data = event{}, nil
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			e.name = string(value)
		case "data":
			data = append(append(data, value...), '\n')
		case "id":
			if !bytes.Contains(value, []byte{0}) {
				lastID = string(value)
			}
		case "retry":
			if len(value) > 0 && len(bytes.Trim(value, "0123456789")) == 0 {
				e.retry = string(value)
			}
		}
	}
}
