package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// publisher sends one request after the other over one connection.
type publisher struct {
	m      *publishing
	number int
	wire   *wire
	people []string
	head   []byte // of every request, up to the length of its body
	line   int    // how many notices it has written

	request, body []byte // room for the next one

	acked   []int64 // ids
	took    []time.Duration
	counted int // notices acknowledged in the time that counts
	refused int
	refusal string // the first one's answer
	err     error  // why it broke off
}

func newPublisher(m *publishing, number int, w *wire, s *site) *publisher {
	path, kind := "/api/v1/notices", "application/json"
	if m.batch > 0 {
		path, kind = "/api/v1/notices/batch", "application/x-ndjson"
	}
	node := s.nodes[number%len(s.nodes)]
	return &publisher{m: m, number: number, wire: w, people: s.people, head: fmt.Appendf(nil,
		"POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\n", path, node.Address(), s.secret, kind)}
}

func (p *publisher) work(ctx context.Context) {
	for ctx.Err() == nil && time.Now().Before(p.m.end) {
		p.write()
		sent := time.Now()
		status, body, err := p.wire.do(p.request)
		if err != nil {
			p.err = err
			return
		}
		answered := time.Now()
		before := len(p.acked)
		p.note(status, body)
		if answered.After(p.m.begin) && answered.Before(p.m.end) {
			p.took = append(p.took, answered.Sub(sent))
			p.counted += len(p.acked) - before
		}
	}
}

// write puts the next request together.
func (p *publisher) write() {
	p.body = p.body[:0]
	p.request = append(p.request[:0], p.head...)
	if p.m.batch == 0 {
		if p.m.idempotency {
			p.request = append(p.key(append(p.request, "Idempotency-Key: "...)), "\r\n"...)
		}
		p.notice(false)
	}
	for range p.m.batch {
		p.notice(p.m.idempotency)
		p.body = append(p.body, '\n')
	}
	p.request = append(p.request, "Content-Length: "...)
	p.request = strconv.AppendInt(p.request, int64(len(p.body)), 10)
	p.request = append(append(p.request, "\r\n\r\n"...), p.body...)
}

// notice appends a notice of some 200 bytes, as a build server might send it.
func (p *publisher) notice(keyed bool) {
	p.body = append(p.body, '{')
	if keyed {
		p.body = append(p.key(append(p.body, `"idempotency_key":"`...)), `",`...)
	}
	p.body = append(append(p.body, `"to":{"users":["`...), p.people[(p.number+p.line)%len(p.people)]...)
	p.body = append(p.body, `"]},"title":"Build `...)
	p.body = strconv.AppendInt(p.body, int64(p.line), 10)
	p.body = append(p.body, ` is done","body":"All 812 checks passed in 3 min 12 s. The packages lie where those of the last one lay, and the log is kept for a week."}`...)
	p.line++
}

// key appends an idempotency key that is nobody else's.
func (p *publisher) key(b []byte) []byte {
	b = strconv.AppendInt(b, int64(p.number), 10)
	return strconv.AppendInt(append(b, '-'), int64(p.line), 10)
}

// note keeps what became of a request.
func (p *publisher) note(status int, body []byte) {
	if p.m.batch == 0 {
		p.noteOne(status == http.StatusCreated, body)
		return
	}
	lines := 0
	if status == http.StatusOK {
		for line := range bytes.Lines(body) {
			one, _ := number(line, `"status":`)
			p.noteOne(one == http.StatusCreated, line)
			lines++
		}
	}
	if lines < p.m.batch {
		p.refuse(p.m.batch-lines, body)
	}
}

func (p *publisher) noteOne(created bool, answer []byte) {
	if id, found := number(answer, `"id":`); created && found {
		p.acked = append(p.acked, id)
		return
	}
	p.refuse(1, answer)
}

func (p *publisher) refuse(notices int, answer []byte) {
	p.refused += notices
	if p.refusal == "" {
		p.refusal = string(bytes.TrimSpace(answer[:min(len(answer), 500)]))
	}
}
