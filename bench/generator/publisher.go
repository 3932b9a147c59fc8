package generator

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// publisher is one connection that publishes, or calls, one request after the other.
type publisher struct {
	loop     *Loop
	fd       int
	up       bool      // the connection stands
	rests    time.Time // since when it waits for something to send
	load     *Load     // of the request that is not answered yet; nil: it waits for one
	messages []Message // of that request
	call     int       // its number, where it is a call
	asked    time.Time
	request  []byte // room for a whole one
	unsent   []byte // what is left of it
	response response
	answer   []byte
	onBody   func([]byte)
}

func (p *publisher) connect() (err error) {
	p.rests = time.Now()
	p.fd, err = p.loop.connect(p)
	return err
}

// stale is how long a connection may rest and be used again: well below what servers wait for it, or it might be hung up just
// as a request goes out, and whether that was taken nobody would know (RFC 9112 §9.3.1).
const stale = 30 * time.Second

// renew connects anew where the connection has rested too long.
func (p *publisher) renew() {
	if p.up && time.Since(p.rests) > stale {
		p.loop.drop(p.fd, io.EOF)
	}
}

// send puts the next request together and sends as much of it as goes.
func (p *publisher) send(load *Load) {
	p.load = load
	if load.Call != nil {
		p.call, p.asked = load.sent, time.Now()
		p.request = load.Call(p.request[:0], p.call)
	} else {
		p.messages = load.next(p.loop, p.messages[:0])
		p.request = load.Request(p.request[:0], p.messages)
	}
	load.sent++
	load.busy++
	p.loop.busy++
	p.unsent = p.request
	p.response.again()
	p.answer = p.answer[:0]
	if !p.up {
		return // goes on when the connection stands
	}
	if err := p.write(); err != nil {
		p.loop.drop(p.fd, err)
	}
}

func (p *publisher) write() error {
	n, err := write(p.fd, p.unsent)
	if err != nil && !again(err) {
		return err
	}
	whole := n == len(p.unsent)
	if p.unsent = p.unsent[n:]; !whole {
		return p.loop.poller.watch(p.fd, true)
	}
	return nil
}

func (p *publisher) ready(readable, writable bool) error {
	if writable {
		p.up = true
		if err := p.loop.poller.watch(p.fd, false); err != nil {
			return err
		}
		if err := p.write(); err != nil {
			return err
		}
	}
	if !readable {
		return nil
	}
	n, err := read(p.fd, p.loop.buffer)
	switch {
	case err != nil && again(err):
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	done, err := p.response.take(p.loop.buffer[:n], p.onBody)
	if done && p.load != nil {
		p.answered(time.Now().UnixNano())
	}
	return err
}

// body keeps an answer where somebody will read it.
func (p *publisher) body(piece []byte) { p.answer = append(p.answer, piece...) }

func (p *publisher) answered(now int64) {
	taken := p.response.status/100 == 2
	if p.load.Call != nil {
		if !taken {
			p.loop.fault(fmt.Errorf("a call was refused with %d: %s", p.response.status, p.answer[:min(len(p.answer), 300)]))
		}
		p.load.Answered(p.call, p.response.status, time.Duration(now-p.asked.UnixNano()))
	}
	lines := p.answer
	for _, m := range p.messages {
		ok := taken
		if p.load.Batch > 0 {
			var line []byte
			line, lines, _ = bytes.Cut(lines, []byte("\n"))
			ok = taken && p.load.Taken(line)
		}
		if !ok {
			p.loop.fault(fmt.Errorf("a message was refused with %d: %s", p.response.status, p.answer[:min(len(p.answer), 300)]))
		}
		if !p.load.calling {
			p.loop.ledger.ack(m.Mark, ok, now)
		}
	}
	p.rest()
}

// rest waits for the next request.
func (p *publisher) rest() {
	p.load.busy--
	p.load, p.messages = nil, p.messages[:0]
	p.loop.busy--
	p.rests = time.Now()
	p.loop.idle = append(p.loop.idle, p)
}

// closed ends a connection. Whether what was under way was taken is not known: it counts as refused.
func (p *publisher) closed(err error) {
	p.up = false
	if p.load != nil { // else the server was tired of waiting for it, which it may be
		p.loop.fault(fmt.Errorf("a publisher broke off: %w", err))
		for _, m := range p.messages {
			if !p.load.calling {
				p.loop.ledger.ack(m.Mark, false, 0)
			}
		}
		p.rest()
	}
	if err := p.connect(); err != nil {
		p.loop.fault(err)
	}
}
