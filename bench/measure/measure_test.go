package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"

	"belfry/bench/program"
	"belfry/bench/server"
	"belfry/internal/testpg"
)

func TestMain(m *testing.M) {
	code := testpg.Run(m, nil)
	server.Remove()
	os.Exit(code)
}

// The measurements themselves, too short to tell anything but that they work and that nothing was lost.

func TestPublish(t *testing.T) {
	printed := program.Output(t, measurements()["publish"], "-publishers=4", "-users=3", "-warmup=200ms", "-duration=1s", "-idempotency")
	program.Wants(t, printed, `fsync on, synchronous_commit on`, `PostgreSQL +\d`, `acknowledged [1-9]\d*.* lost 0,`)
}

func TestHerd(t *testing.T) {
	printed := program.Output(t, measurements()["herd"], "-streams=40", "-users=4", "-drain=1s")
	// Each stream at least once; the second time those that were back on the second node before its turn came.
	program.Wants(t, printed, `\b([4-7]\d|80) sent away by pause`, `all back at \d`, `statements in the restart`, `[1-9]\d* deliveries due: lost 0,`)
}

func TestLock(t *testing.T) {
	printed := program.Output(t, measurements()["lock"], "-tries=4", "-sessions=2", "-announcer=postgres,none")
	program.Wants(t, printed, `postgres +lock → 423 +4 `, `none +end → 401 +4 `)
}

func TestWireReadsAnswers(t *testing.T) {
	const created = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"id\":17}"
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0a\r\ndefghijklm\r\n0\r\n\r\n"
	const none = "HTTP/1.1 204 No Content\r\n\r\n"
	tests := []struct {
		text, body string
		status     int
	}{
		{created, `{"id":17}`, 201}, {chunked, "abcdefghijklm", 200}, {none, "", 204},
	}
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		for _, tt := range tests {
			_, _ = there.Write([]byte(tt.text))
		}
		_, _ = there.Write([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"))
		_ = there.Close()
	}()
	w := &wire{conn: here, answers: bufio.NewReader(here)}
	for _, tt := range tests {
		status, body, err := w.answer()
		if status != tt.status || string(body) != tt.body || err != nil {
			t.Errorf("%q: %d %q, %v", tt.text, status, body, err)
		}
	}
	if status, body, err := w.answer(); err == nil {
		t.Errorf("an answer that was cut off: %d %q", status, body)
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int64{`{"id":17,"cursor":"e-17"}`: 17, `{"status":201,"id":9}`: 9, `{"id":null}`: -1, `{"id":1`: -1, `{}`: -1} {
		n, found := number([]byte(text), `"id":`)
		if !found {
			n = -1
		}
		if n != want {
			t.Errorf("%s: %d, want %d", text, n, want)
		}
	}
}

func TestPublisherNotesWhatBecameOfABatch(t *testing.T) {
	p := &publisher{m: &publishing{batch: 4}}
	p.note(200, []byte(`{"status":201,"id":5,"cursor":"e-5"}
{"type":"about:blank","status":422,"code":"invalid"}
{"status":201,"id":6,"cursor":"e-6"}
`))
	if !slices.Equal(p.acked, []int64{5, 6}) || p.refused != 2 {
		t.Errorf("acked %v, refused %d; want 5 and 6, and two: one refused, one without an answer", p.acked, p.refused)
	}
	p.note(413, []byte(`{"status":413,"code":"too_large"}`))
	if len(p.acked) != 2 || p.refused != 6 {
		t.Errorf("after a batch that was refused: acked %v, refused %d", p.acked, p.refused)
	}
}

func TestRequestsAreWhole(t *testing.T) {
	for name, m := range map[string]*publishing{"one": {}, "one, keyed": {idempotency: true}, "batch": {batch: 3}, "batch, keyed": {batch: 3, idempotency: true}} {
		p := &publisher{m: m, number: 7, people: []string{"anna", "ben"}, head: []byte("POST /x HTTP/1.1\r\nHost: localhost\r\n")}
		p.write()
		p.write() // in the room of the one before
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p.request)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(request.Body)
		if err != nil || int64(len(body)) != request.ContentLength || request.ContentLength == 0 {
			t.Errorf("%s: %d bytes of %d, %v", name, len(body), request.ContentLength, err)
		}
		keys := map[string]bool{}
		for line := range bytes.Lines(body) {
			var notice struct {
				Key string `json:"idempotency_key"`
				To  struct{ Users []string }
			}
			if err := json.Unmarshal(line, &notice); err != nil || len(notice.To.Users) != 1 {
				t.Errorf("%s: %v in %s", name, err, line)
			}
			keys[notice.Key+request.Header.Get("Idempotency-Key")] = true
		}
		if want := max(m.batch, 1); m.idempotency && (len(keys) != want || keys[""]) {
			t.Errorf("%s: keys %v; want %d", name, keys, want)
		}
	}
}
