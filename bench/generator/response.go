package generator

import (
	"bytes"
	"fmt"
	"strconv"
)

// response takes an answer of HTTP/1.1 apart as it comes, in whatever pieces: the head, then the body without the
// frames of its chunks. Of the head it looks at the status and at how the body ends, and nothing else.
type response struct {
	status  int // 0 until the head is there
	part    part
	line    []byte // of the head, as far as it has come
	left    int64  // bytes of this chunk, or of the body
	chunked bool
	size    int64 // of the next chunk, as far as its digits have come
}

type part uint8

const (
	inHead part = iota
	inBody      // of a length that was told, or none
	inSize
	inExtension // after the size of a chunk
	inChunk
	afterChunk
	inTrailer
	ended
)

// endless is the length of a body that only the end of the connection ends.
const endless = int64(1) << 62

// take reads a piece and hands the body on, part by part. It says whether the answer has ended.
func (r *response) take(b []byte, body func([]byte)) (done bool, err error) {
	for len(b) > 0 && r.part != ended {
		switch r.part {
		case inHead, inTrailer:
			if b, err = r.headLine(b); err != nil {
				return false, err
			}
		case inBody, inChunk:
			n := min(int64(len(b)), r.left)
			body(b[:n])
			b = b[n:]
			if r.left -= n; r.left > 0 {
				continue
			}
			if r.part == inChunk {
				r.part = afterChunk
			} else {
				r.part = ended
			}
		default:
			if err := r.frame(b[0]); err != nil {
				return false, err
			}
			b = b[1:]
		}
	}
	return r.part == ended, nil
}

// frame reads one byte of what stands between chunks.
func (r *response) frame(c byte) error {
	switch {
	case r.part == afterChunk && c == '\n':
		r.part, r.size = inSize, 0
	case r.part == afterChunk && c == '\r', r.part == inSize && c == '\r', r.part == inExtension && c != '\n':
	case r.part == inSize && c == ';':
		r.part = inExtension
	case c == '\n': // of the size, or of its extension
		if r.part, r.left = inChunk, r.size; r.size == 0 {
			r.part = inTrailer
		}
	case r.part == inSize && '0' <= c && c <= '9':
		r.size = r.size<<4 | int64(c-'0')
	case r.part == inSize && 'a' <= c|' ' && c|' ' <= 'f':
		r.size = r.size<<4 | int64(c|' '-'a'+10)
	default:
		return fmt.Errorf("%q between chunks", c)
	}
	if r.size > 1<<32 {
		return fmt.Errorf("a chunk of %d bytes", r.size)
	}
	return nil
}

// headLine reads to the end of a line of the head or of the trailer.
func (r *response) headLine(b []byte) (rest []byte, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		r.line = append(r.line, b...)
		return nil, nil
	}
	r.line = append(r.line, b[:end]...)
	line := bytes.TrimSuffix(r.line, []byte("\r"))
	r.line = r.line[:0]
	switch {
	case len(line) > 0 && r.part == inHead:
		err = r.field(line)
	case len(line) > 0:
	case r.part == inTrailer, !r.chunked && r.left == 0:
		r.part = ended
	case r.chunked:
		r.part = inSize
	default:
		r.part = inBody
	}
	return b[end+1:], err
}

func (r *response) field(line []byte) (err error) {
	if r.status == 0 {
		// As in "HTTP/1.1 200 OK".
		if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
			return fmt.Errorf("no answer of HTTP/1.1: %q", line)
		}
		r.left = endless
		if r.status, err = strconv.Atoi(string(line[9:12])); r.status == 204 {
			r.left = 0
		}
		return err
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		r.left, err = strconv.ParseInt(string(value), 10, 62)
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		r.chunked = bytes.EqualFold(value, []byte("chunked"))
	}
	return err
}

// headed says that the whole head is there.
func (r *response) headed() bool { return r.part != inHead }

// again makes it ready for the next answer on the connection.
func (r *response) again() { *r = response{line: r.line[:0]} }
