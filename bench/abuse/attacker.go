package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// attackerName is the argument with which the program attacks; what and whom it reads from its input, and it goes on until that
// ends.
const attackerName = "attack"

// closed is what is noted of a connection that ends without an answer.
const closed = "closed"

const (
	// mostTime is how long an attack may go on, should nobody end it.
	mostTime = 2 * time.Minute
	// patience is how long an answer is waited for: longer than the server's own limits.
	patience = time.Minute
)

// target is whom to attack, and with what.
type target struct {
	Attack  string `json:"attack"`
	Address string `json:"address"` // of the loopback network
	From    int    `json:"from"`    // 127.0.FROM.x is where the attack comes from
	Key     string `json:"key"`
	Person  string `json:"person"` // who is nobody else's reader
	Cookie  string `json:"cookie"` // the person's

	LimitedKey string `json:"limited_key"`
}

// attacker carries out one attack.
type attacker struct {
	target

	Sources int // addresses it comes from; 0 = one
	quiet   bool
	holding sync.WaitGroup
	source  atomic.Int64

	mu      sync.Mutex
	answers map[string]int
	conns   map[*peer]bool
	over    bool
}

// peer is one connection.
type peer struct {
	net.Conn
	in *bufio.Reader
}

// attack attacks until the input ends, and writes what it was answered.
func attack(in io.Reader, out io.Writer) (exitCode int) {
	a := &attacker{answers: map[string]int{}, conns: map[*peer]bool{}}
	input := json.NewDecoder(in)
	if err := input.Decode(&a.target); err != nil {
		fmt.Fprintln(os.Stderr, "abuse:", err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), mostTime)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	context.AfterFunc(ctx, a.hangUp)
	for _, one := range assaults() {
		if one.name == a.Attack {
			one.work(a, ctx)
		}
	}
	<-ctx.Done()
	a.hangUp()
	a.holding.Wait()
	if err := json.NewEncoder(out).Encode(a.answers); err != nil {
		return 1
	}
	return 0
}

// hangUp resets all connections; what becomes of them is no answer any more.
func (a *attacker) hangUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for conn := range a.conns {
		_ = conn.Close()
	}
}

func (a *attacker) note(answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over && answer != "" {
		a.answers[answer]++
	}
}

// dial connects from an address of the attacker's own; nil = refused.
func (a *attacker) dial() *peer {
	return a.dialWith(func(string, string, syscall.RawConn) error { return nil })
}

// dialSmall connects with room for little that is not read.
func (a *attacker) dialSmall() *peer {
	return a.dialWith(func(_, _ string, socket syscall.RawConn) (err error) {
		controlled := socket.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
		return errors.Join(controlled, err)
	})
}

func (a *attacker) dialWith(control func(network, address string, socket syscall.RawConn) error) *peer {
	from := 1 + a.source.Add(1)%int64(max(a.Sources, 1))
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(a.From), byte(from))}, Control: control}
	conn, err := dialer.Dial("tcp", a.Address)
	if err != nil {
		a.note(closed)
		return nil
	}
	_ = conn.SetDeadline(time.Now().Add(mostTime))
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	p := &peer{conn, bufio.NewReaderSize(conn, 1<<10)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		_ = conn.Close()
	}
	a.conns[p] = true
	return p
}

func (a *attacker) drop(p *peer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.conns, p)
	_ = p.Close()
}

// say writes; one who does not listen has hung up.
func (a *attacker) say(p *peer, text string) bool {
	if _, err := io.WriteString(p, text); err != nil {
		a.note(closed)
		a.drop(p)
		return false
	}
	return true
}

// answer reads one, and hangs up.
func (a *attacker) answer(p *peer) string {
	defer a.drop(p)
	return a.next(p)
}

// next reads the next answer: its status.
func (a *attacker) next(p *peer) string {
	response, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return closed
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if err != nil {
		return closed
	}
	return strconv.Itoa(response.StatusCode)
}

func (a *attacker) awaitEnd(p *peer) {
	defer a.drop(p)
	_, _ = p.Read(make([]byte, 1))
	a.note(closed)
}

// follow reads a stream: whether it is one, or is told to come again later.
func (a *attacker) follow(p *peer) {
	defer a.drop(p)
	lines := bufio.NewScanner(p.in)
	for lines.Scan() {
		if event, found := strings.CutPrefix(lines.Text(), "event: "); found && (event == "hello" || event == "pause") {
			a.note(event)
		}
	}
}

// dripOn writes a byte a second until the connection has ended.
func (a *attacker) dripOn(ctx context.Context, p *peer, ended <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case <-tick.C:
			_, _ = io.WriteString(p, "x")
		}
	}
}

// once begins a connection, and notes what is answered while it is written to.
func (a *attacker) once(write func(*peer)) {
	p := a.dial()
	if p == nil {
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		write(p)
	}()
	a.note(a.answer(p))
	<-written
}

// pour writes a piece again and again, more than is allowed, until nobody listens.
func (a *attacker) pour(p *peer, piece string) {
	for sent := 0; sent < tooLarge; sent += len(piece) {
		if _, err := io.WriteString(p, piece); err != nil {
			return
		}
	}
}

// flood sends one request after the other on so many connections.
func (a *attacker) flood(ctx context.Context, rate, connections int, request func(n int) string) {
	free := make(chan *peer, connections)
	for range connections {
		free <- nil
	}
	a.paced(ctx, rate, connections, 0, func(n int) {
		p := <-free
		if p == nil {
			p = a.dial()
		}
		if p != nil && !a.say(p, request(n)) {
			p = nil
		}
		if p != nil {
			answer := a.next(p)
			if !a.quiet {
				a.note(answer)
			}
			if answer == closed {
				a.drop(p)
				p = nil
			}
		}
		free <- p
	})
}

// tickEvery is how often a paced attack catches up with its rate.
const tickEvery = 10 * time.Millisecond

// paced does something so many times a second, by so many workers, and so often in all; 0 = until the end.
func (a *attacker) paced(ctx context.Context, rate, workers, count int, do func(n int)) {
	turns := make(chan int)
	for range workers {
		a.holding.Go(func() {
			for n := range turns {
				do(n)
			}
		})
	}
	defer close(turns)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	began := time.Now()
	for n := 0; count == 0 || n < count; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * float64(rate)); n < due && (count == 0 || n < count); n++ {
			select {
			case turns <- n:
			case <-ctx.Done():
				return
			}
		}
	}
}

// head begins a request.
func (a *attacker) head(method, path, key string) string {
	text := method + " " + path + " HTTP/1.1\r\nHost: " + a.Address + "\r\n"
	if key != "" {
		text += "Authorization: Bearer " + key + "\r\n"
	}
	if method == http.MethodPost && !strings.HasPrefix(path, "/api/v1/notices") {
		text += "Content-Type: application/json\r\n"
	}
	return text
}

func (a *attacker) streamRequest() string {
	return a.head(http.MethodGet, "/sse/stream", "") + "Cookie: belfry=" + a.Cookie + "\r\n\r\n"
}
