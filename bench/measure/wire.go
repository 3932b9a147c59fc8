package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// wireTimeout bounds one request: a node that does not answer for so long is broken.
const wireTimeout = 30 * time.Second

// wire is one kept-alive HTTP/1.1 connection. Requests go out as they were put together and of an
// answer only the status and the body are looked at: whoever measures shares the machine with what
// is measured, and net/http would take as much of it as the server.
type wire struct {
	conn    net.Conn
	answers *bufio.Reader
	body    []byte
}

func dialWire(address string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", address, wireTimeout) //nolint:noctx // the deadline is the bound
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, answers: bufio.NewReaderSize(conn, 16<<10)}, nil
}

func (w *wire) close() { _ = w.conn.Close() }

// do sends a whole request and reads its answer. The body is good until the next call.
func (w *wire) do(request []byte) (status int, body []byte, err error) {
	if err := w.conn.SetDeadline(time.Now().Add(wireTimeout)); err != nil {
		return 0, nil, err
	}
	if _, err := w.conn.Write(request); err != nil {
		return 0, nil, err
	}
	return w.answer()
}

func (w *wire) answer() (status int, body []byte, err error) {
	line, err := w.line()
	if err != nil {
		return 0, nil, err
	}
	// As in "HTTP/1.1 201 Created".
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, fmt.Errorf("no answer of HTTP/1.1: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, fmt.Errorf("no status: %q", line)
	}
	length, chunked := 0, false
	for {
		if line, err = w.line(); err != nil {
			return 0, nil, err
		}
		if len(line) == 0 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, fmt.Errorf("no length: %q", line)
			}
		}
		chunked = chunked || bytes.Equal(line, []byte("Transfer-Encoding: chunked"))
	}
	w.body = w.body[:0]
	if chunked {
		err = w.chunks()
		return status, w.body, err
	}
	err = w.take(length)
	return status, w.body, err
}

// chunks reads a body of which each part says its length, until one of none.
func (w *wire) chunks() error {
	for {
		line, err := w.line()
		if err != nil {
			return err
		}
		length, err := strconv.ParseInt(string(line), 16, 32)
		if err != nil || length < 0 {
			return fmt.Errorf("no length of a chunk: %q", line)
		}
		if err := w.take(int(length)); err != nil {
			return err
		}
		if line, err = w.line(); err != nil || len(line) > 0 {
			return errors.Join(err, fmt.Errorf("after a chunk: %q", line))
		}
		if length == 0 {
			return nil
		}
	}
}

// take appends the next bytes to the body.
func (w *wire) take(length int) error {
	begin := len(w.body)
	w.body = append(w.body, make([]byte, length)...)
	_, err := io.ReadFull(w.answers, w.body[begin:])
	return err
}

func (w *wire) line() ([]byte, error) {
	line, err := w.answers.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// number reads the digits behind a name in JSON without white space, as in `"id":17`.
func number(json []byte, name string) (int64, bool) {
	at := bytes.Index(json, []byte(name))
	if at < 0 {
		return 0, false
	}
	n, digits := int64(0), json[at+len(name):]
	for i, c := range digits {
		if c < '0' || c > '9' {
			return n, i > 0
		}
		n = n*10 + int64(c-'0')
	}
	return 0, false // cut off
}
