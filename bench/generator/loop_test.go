package generator

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tiny is a server with a line of messages for each topic, which it sends byte by byte. What it does wrong is planted.
type tiny struct {
	t       *testing.T
	net     net.Listener
	planted map[string]func(frame string) string // by topic and number, as in "1.3"

	mu       sync.Mutex
	log      map[string][]string
	accepted []net.Conn
	streams  map[net.Conn]string
	lastIDs  []string
}

func newTiny(t *testing.T) *tiny {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &tiny{t: t, net: listener, planted: map[string]func(string) string{}, log: map[string][]string{}, streams: map[net.Conn]string{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		for conn := range s.streams {
			_ = conn.Close()
		}
		s.mu.Unlock()
		serving.Wait()
	})
	return s
}

func (s *tiny) serve(conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	s.accepted = append(s.accepted, conn)
	s.mu.Unlock()
	in := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			s.mu.Lock()
			delete(s.streams, conn)
			s.mu.Unlock()
			return
		}
		topic := request.URL.Query().Get("topic")
		if request.Method == http.MethodGet {
			s.open(conn, topic, request.Header.Get("Last-Event-ID"))
			continue
		}
		text, _ := io.ReadAll(request.Body)
		s.publish(topic, string(text))
		status := "201 Created"
		if strings.Contains(string(text), "refuse") {
			status = "503 Service Unavailable"
		}
		_, _ = conn.Write([]byte("HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nok"))
	}
}

func (s *tiny) open(conn net.Conn, topic, last string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastIDs = append(s.lastIDs, last)
	byteByByte(conn, head+"Transfer-Encoding: chunked\r\n\r\n"+chunk("event: hello\ndata: {}\nid: 0\n\n"))
	seen := 0
	_, _ = fmt.Sscan(last, &seen)
	if last != "" {
		for _, frame := range s.log[topic][seen:] {
			byteByByte(conn, frame)
		}
	}
	s.streams[conn] = topic
}

func (s *tiny) publish(topic, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	number := len(s.log[topic])
	frame := chunk(fmt.Sprintf("event: notice\ndata: %s\nid: %d\n\n", text, number+1))
	s.log[topic] = append(s.log[topic], frame)
	if spoil := s.planted[fmt.Sprintf("%s.%d", topic, number)]; spoil != nil {
		frame = spoil(frame)
	}
	for conn, of := range s.streams {
		if of == topic {
			byteByByte(conn, frame)
		}
	}
}

func byteByByte(conn net.Conn, text string) {
	for i := range len(text) {
		if _, err := conn.Write([]byte(text[i : i+1])); err != nil {
			return
		}
	}
}

// watching opens two streams on each of two topics.
func (s *tiny) watching() *Loop {
	s.t.Helper()
	l, err := New(s.t.Context(), s.net.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	l.Audiences(2)
	for i := range 4 {
		l.Open(&Stream{Begins: "hello", Head: func(b, lastID []byte) []byte {
			return fmt.Appendf(b, "GET /?topic=%d HTTP/1.1\r\nHost: x\r\nLast-Event-ID: %s\r\n\r\n", i%2, lastID)
		}}, i%2)
	}
	s.run(l, l.Begun)
	return l
}

func (s *tiny) run(l *Loop, done func() bool) {
	s.t.Helper()
	if err := l.Run("the test", 10*time.Second, done); err != nil {
		s.t.Fatal(err)
	}
}

func load(count int) *Load {
	return &Load{Connections: 3, To: []int{0, 1}, Count: count, Request: func(b []byte, messages []Message) []byte {
		text := messages[0].Mark.Append([]byte(`{"body":"`))
		return fmt.Appendf(b, "POST /?topic=%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", messages[0].To, len(text), text)
	}}
}

func (s *tiny) send(l *Loop, more *Load) {
	s.t.Helper()
	if err := l.Start(more); err != nil {
		s.t.Fatal(err)
	}
	s.run(l, l.Published)
}

func (s *tiny) wants(l *Loop, want string) {
	s.t.Helper()
	got := fmt.Sprintf("delivered %d, lost %d, doubled %d, disorder %d, foreign %d, acked %d, refused %d, latencies %d, acks %d", l.Tally.Delivered, l.Lost(),
		l.Tally.Doubled, l.Tally.Disorder, l.Tally.Foreign, l.Tally.Acked, l.Tally.Refused, l.Tally.Latency.Count(), l.Tally.Ack.Count())
	if got != want {
		s.t.Errorf("got  %s\nwant %s\n%v", got, want, l.Faults())
	}
}

func TestCountsEveryDelivery(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	if err := l.RollCall(*load(0), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	s.send(l, load(20))
	s.run(l, l.Settled)
	s.wants(l, "delivered 40, lost 0, doubled 0, disorder 0, foreign 0, acked 20, refused 0, latencies 40, acks 20")
	if l.Faults() != nil || l.Tally.Latency.Max() <= 0 || l.Tally.Latency.Max() > 10*time.Second {
		t.Errorf("%v; %v", l.Tally.Latency.Max(), l.Faults())
	}
}

func TestTellsWhatGoesWrong(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	s.mu.Lock()
	s.planted["0.1"] = func(string) string { return "" }
	s.planted["0.3"] = func(frame string) string { return frame + frame }
	kept := ""
	s.planted["1.2"] = func(frame string) string { kept = frame; return "" }
	s.planted["1.3"] = func(frame string) string { return frame + kept }
	s.planted["1.4"] = func(frame string) string { return frame + s.log["0"][0] }
	s.planted["0.4"] = func(frame string) string { // a number that was never given
		return frame + chunk(fmt.Sprintf("data: %s\n\n", Mark{0, 5000, 1}.Append(nil)))
	}
	s.mu.Unlock()
	one := load(12)
	one.Connections = 1 // or the order in which they arrive is anybody's
	s.send(l, one)
	s.run(l, func() bool { return l.Tally.Delivered == 22 && l.Tally.Doubled == 2 && l.Tally.Foreign == 4 })
	s.wants(l, "delivered 22, lost 2, doubled 2, disorder 2, foreign 4, acked 12, refused 0, latencies 22, acks 12")
	if l.Settled() {
		t.Error("settled, with two deliveries owed")
	}
}

func TestKeepsWhatIsUnderWayInBounds(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	s.mu.Lock()
	s.planted["0.0"] = func(string) string { return "" }
	s.mu.Unlock()
	bounded := load(0)
	bounded.UnderWay, bounded.Connections = 1, 2
	if err := l.Start(bounded); err != nil {
		t.Fatal(err)
	}
	if err := l.For(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	s.wants(l, "delivered 0, lost 2, doubled 0, disorder 0, foreign 0, acked 1, refused 0, latencies 0, acks 1")
}

func TestComesBackWhereItWas(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	s.send(l, load(6))
	s.run(l, l.Settled)
	l.Reset()
	s.run(l, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.streams) == 0 })
	s.send(l, load(10))
	if l.Lost() != 20 || l.Settled() {
		t.Fatalf("%d owed while all are away", l.Lost())
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	s.run(l, l.Settled)
	s.wants(l, "delivered 32, lost 0, doubled 0, disorder 0, foreign 0, acked 16, refused 0, latencies 32, acks 16")
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.Begun() || !slices.Equal(s.lastIDs, []string{"", "", "", "", "3", "3", "3", "3"}) {
		t.Errorf("came back with %q", s.lastIDs)
	}
	if l.Faults() != nil || l.Opening().Count() != 4 || l.Opening().Max() == 0 {
		t.Errorf("%v; %+v", l.Faults(), l.Opening().Max())
	}
}

func TestRefusedIsNotLost(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	refused := load(4)
	refused.Request = func(b []byte, _ []Message) []byte {
		return append(b, "POST /?topic=9 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nrefuse"...)
	}
	s.send(l, refused)
	s.wants(l, "delivered 0, lost 0, doubled 0, disorder 0, foreign 0, acked 0, refused 4, latencies 0, acks 0")
	if l.Faults() == nil {
		t.Error("no fault")
	}
}

func TestEvenRate(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	paced := load(10)
	paced.Rate = 100
	began := time.Now()
	s.send(l, paced)
	if took := time.Since(began); took < 90*time.Millisecond {
		t.Errorf("10 at 100 a second took %v", took)
	}
}

func TestSeveralLoadsAtOnce(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	var answered []string
	var took time.Duration
	calls := &Load{Connections: 1, Count: 4, Rate: 1000, Call: func(b []byte, n int) []byte {
		text := "a call"
		if n == 2 {
			text = "refuse"
		}
		return fmt.Appendf(b, "POST /?topic=9 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n%s", text)
	}, Answered: func(n, status int, after time.Duration) {
		answered = append(answered, fmt.Sprint(n, " ", status))
		took = after
	}}
	if err := l.Start(load(10), calls); err != nil {
		t.Fatal(err)
	}
	s.run(l, l.Published)
	s.run(l, l.Settled)
	s.wants(l, "delivered 20, lost 0, doubled 0, disorder 0, foreign 0, acked 10, refused 0, latencies 20, acks 10")
	if !slices.Equal(answered, []string{"0 201", "1 201", "2 503", "3 201"}) || took <= 0 || took > 10*time.Second {
		t.Errorf("the calls were answered with %q, the last after %v", answered, took)
	}
	if l.Faults() == nil {
		t.Error("a refused call is no fault")
	}
}

func TestLatenciesApart(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	l.Open(&Stream{Begins: "hello", Untimed: true, Head: func(b, _ []byte) []byte { return append(b, "GET /?topic=0 HTTP/1.1\r\nHost: x\r\n\r\n"...) }}, 0)
	s.run(l, l.Begun)
	var apart Histogram
	l.Latency(1, &apart)
	s.send(l, load(10))
	s.run(l, l.Settled)
	s.wants(l, "delivered 25, lost 0, doubled 0, disorder 0, foreign 0, acked 10, refused 0, latencies 20, acks 10")
	if apart.Count() != 10 || apart.Max() <= 0 {
		t.Errorf("%d latencies of the second topic, up to %v", apart.Count(), apart.Max())
	}
}

// A stream that ends right after its last event says both, though the poller tells of it once.
func TestSeesTheEndBehindTheLastEvent(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	s.mu.Lock()
	frame := chunk("event: last\ndata: {}\n\n")
	for conn := range s.streams {
		_, _ = conn.Write([]byte(frame))
		_ = conn.Close()
	}
	s.mu.Unlock()
	last := 0
	l.OnEvent = func(_ *Stream, e *Event, _ int64) {
		if string(e.Name) == "last" {
			last++
		}
	}
	s.run(l, func() bool { return l.begun == 0 })
	if last != 4 || l.Faults() == nil || !strings.Contains(l.Faults().Error(), "a stream broke off: EOF") {
		t.Errorf("%d last events; %v", last, l.Faults())
	}
}
