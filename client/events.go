package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxEvent bounds one event: 16 KiB of text and of data, each byte escaped, is well below it.
const maxEvent = 1 << 20

// errLongEvent says that what we read is no stream of Belfry's.
var errLongEvent = errors.New("client: an event of more than 1 MiB")

// block is one event as it stands in a stream.
type block struct {
	id    string
	hasID bool
	name  string // "message" where the stream names none
	data  string
	retry time.Duration // 0 = not said
}

// eventReader reads text/event-stream as HTML §9.2.6 says: lines end with CR, LF or both, comments and unknown
// fields are nothing, and what the end of the stream cuts off is thrown away.
type eventReader struct {
	lines   *bufio.Scanner
	comment func(text string) // told of each comment; nil = nobody wants them
	first   bool
}

func newEventReader(r io.Reader) *eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	lines.Split((&lineSplitter{}).split)
	return &eventReader{lines: lines, first: true}
}

// lineSplitter cuts lines as they come: one that ends with CR is not held back until it is known whether LF follows.
type lineSplitter struct{ afterCR bool }

func (s *lineSplitter) split(data []byte, _ bool) (advance int, line []byte, err error) {
	skipped := 0
	if s.afterCR && len(data) > 0 {
		s.afterCR = false
		if data[0] == '\n' {
			skipped, data = 1, data[1:]
		}
	}
	end := bytes.IndexAny(data, "\r\n")
	if end < 0 {
		return skipped, nil, nil
	}
	s.afterCR = data[end] == '\r'
	return skipped + end + 1, data[:end:end], nil
}

// next gives the next event that has data; its id, where a block without data had one, counts too. The error is
// io.EOF at a good end.
func (r *eventReader) next() (block, error) {
	b := block{}
	var data []string
	size := 0
	for r.lines.Scan() {
		line := r.lines.Bytes()
		if r.first {
			r.first, line = false, bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			if data == nil && !b.hasID && b.retry == 0 {
				b.name = ""
				continue
			}
			b.data = strings.Join(data, "\n")
			return b, nil
		}
		if size += len(line); size > maxEvent {
			return block{}, errLongEvent
		}
		r.field(string(line), &b, &data)
	}
	if errors.Is(r.lines.Err(), bufio.ErrTooLong) {
		return block{}, errLongEvent
	}
	if err := r.lines.Err(); err != nil {
		return block{}, err
	}
	return block{}, io.EOF
}

func (r *eventReader) field(line string, b *block, data *[]string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "":
		if r.comment != nil {
			r.comment(value)
		}
	case "event":
		b.name = value
	case "data":
		*data = append(*data, value)
	case "id":
		if !strings.Contains(value, "\x00") {
			b.id, b.hasID = value, true
		}
	case "retry":
		if strings.Trim(value, "0123456789") == "" {
			if ms, err := strconv.ParseInt(value, 10, 32); err == nil {
				b.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
}
