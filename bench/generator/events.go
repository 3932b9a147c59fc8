package generator

import "bytes"

// events takes the text of an event stream apart as it comes, in whatever pieces.
type events struct {
	marks *markReader
	line  []byte // as far as it has come, where a piece ended within it
	event Event
}

// Event is one event of a stream. Its texts are good until the handler returns.
type Event struct {
	Name, ID []byte
	Mark     Mark
	Marked   bool
	Data     []byte // of an event without a mark: its last line
}

// take reads a piece of the body and hands on each event that ends in it.
func (e *events) take(piece []byte, each func(*Event)) {
	for len(piece) > 0 {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			e.line = append(e.line, piece...)
			return
		}
		line := piece[:end]
		piece = piece[end+1:]
		if len(e.line) > 0 {
			e.line = append(e.line, line...)
			line = e.line
		}
		if len(line) > 0 && line[len(line)-1] == '\r' {
			line = line[:len(line)-1]
		}
		if len(line) > 0 {
			e.field(line)
		} else {
			each(&e.event)
			e.event = Event{Name: e.event.Name[:0], ID: e.event.ID[:0], Data: e.event.Data[:0]}
		}
		e.line = e.line[:0]
	}
}

var (
	dataField  = []byte("data:")
	idField    = []byte("id:")
	eventField = []byte("event:")
	space      = []byte(" ")
)

func (e *events) field(line []byte) {
	switch line[0] {
	case 'd':
		if value, is := bytes.CutPrefix(line, dataField); is && !e.event.Marked {
			if e.event.Mark, e.event.Marked = e.marks.find(value); !e.event.Marked {
				e.event.Data = append(e.event.Data[:0], bytes.TrimPrefix(value, space)...)
			}
		}
	case 'i':
		if value, is := bytes.CutPrefix(line, idField); is {
			e.event.ID = append(e.event.ID[:0], bytes.TrimPrefix(value, space)...)
		}
	case 'e':
		if value, is := bytes.CutPrefix(line, eventField); is {
			e.event.Name = append(e.event.Name[:0], bytes.TrimPrefix(value, space)...)
		}
	}
}
