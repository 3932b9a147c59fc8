package handlers_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// logReadersEnv has this program read a log in place of testing: what it says is a logReaders in JSON.
const logReadersEnv = "BELFRY_TEST_LOG_READERS"

// logReaders are many readers of one log, in a process of their own: what they take of memory and time is not the server's.
type logReaders struct {
	Readers int
	Log     string // the address of the text; empty = they do not begin with it
	Stream  string // the address of the stream
	Cookie  string // a header's value
	Stay    bool   // they read in one go
}

// logRead is what became of one of them.
type logRead struct {
	Sum   string
	Fault string
	Seen  []sighting
}

// sighting is how far a reader was at a moment.
type sighting struct {
	At   int64
	When time.Time
}

// seenEvery is how often a reader notes how far it is.
const seenEvery = 50 * time.Millisecond

// begin starts the process. The answer waits for its end, and tells how much processor time it took.
func (l *logReaders) begin(t testing.TB) (end func() ([]logRead, time.Duration)) {
	t.Helper()
	spec, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), logReadersEnv+"="+string(spec))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (read []logRead, used time.Duration) {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if err := json.Unmarshal(out.Bytes(), &read); err != nil || len(read) != l.Readers {
			t.Errorf("%d readers: %v", len(read), err)
		}
		return read, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
}

// readLogs is what that process does.
func readLogs(spec string) error {
	var l logReaders
	if err := json.Unmarshal([]byte(spec), &l); err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	read := make([]logRead, l.Readers)
	var wg sync.WaitGroup
	for i := range read {
		wg.Go(func() {
			r := &logReader{logReaders: &l, http: &http.Client{Transport: transport}, sum: sha256.New(), random: rand.New(rand.NewPCG(uint64(i), 1)), json: i%2 == 0}
			if err := r.run(); err != nil {
				read[i].Fault = fmt.Sprintf("at %d: %v", r.at, err)
			}
			read[i].Sum, read[i].Seen = fmt.Sprintf("%x", r.sum.Sum(nil)), r.seen
		})
	}
	wg.Wait()
	return json.NewEncoder(os.Stdout).Encode(read)
}

// logReader reads a log in stretches.
type logReader struct {
	*logReaders
	http   *http.Client
	sum    hash.Hash
	random *rand.Rand
	json   bool
	at     int64 // all before it was taken
	seen   []sighting
}

var errEnough = errors.New("this stretch is over")

// run takes what lies there by GET, then follows, leaving after every few hundred KB until it is at the end.
func (r *logReader) run() error {
	if r.Log != "" && r.random.IntN(2) == 0 {
		if err := r.head(); err != nil {
			return err
		}
	}
	for {
		upTo := r.at + r.random.Int64N(4<<20) + 1
		if r.Stay {
			upTo = 1 << 62
		}
		if err := r.stretch(upTo); !errors.Is(err, errEnough) {
			return err
		}
	}
}

func (r *logReader) get(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Cookie", r.Cookie)
	resp, err := r.http.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp, err
}

func (r *logReader) head() error {
	resp, err := r.get(context.Background(), r.Log)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	r.sum.Write(text)
	if r.at, _ = strconv.ParseInt(resp.Header.Get("Log-End"), 10, 64); int(r.at) != len(text) {
		return fmt.Errorf("%d bytes up to %d", len(text), r.at)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		r.json = true // lines begin in the middle of one then, which is well, but here they are put together again
	}
	return nil
}

// stretch reads up to a byte, or to the end.
func (r *logReader) stretch(upTo int64) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	url := r.Stream + "?from=" + strconv.FormatInt(r.at, 10)
	if r.json {
		url += "&format=json"
	}
	resp, err := r.get(ctx, url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := bufio.NewReaderSize(resp.Body, 1<<18)
	var name string
	var data []byte
	for {
		line, err := body.ReadSlice('\n') // none is longer: see maxTaskEvent
		if err != nil {
			return err
		}
		line = line[:len(line)-1]
		switch field, value, _ := bytes.Cut(line, []byte(": ")); string(field) {
		case "event":
			name = string(value)
		case "data":
			data = append(append(data, value...), '\n')
		case "retry":
			if name == "pause" { // a busy server sends its readers away for a while
				return errEnough
			}
		case "id":
			if string(data) == "[DONE]\n" {
				return nil
			}
			if name == "" {
				if err := r.take(data, string(value), upTo); err != nil {
					return err
				}
			}
		case "":
			name, data = "", data[:0]
		}
	}
}

// take counts an event in, or the part of it that is before the end of the stretch.
func (r *logReader) take(data []byte, id string, upTo int64) error {
	end, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return err
	}
	text := data
	if r.json {
		if text, err = r.piece(data); err != nil {
			return err
		}
	}
	if r.at+int64(len(text)) != end {
		return fmt.Errorf("%d bytes from %d to %d", len(text), r.at, end)
	}
	if r.json && end > upTo {
		text = text[:upTo-r.at]
	}
	r.sum.Write(text)
	r.at += int64(len(text))
	if now := time.Now(); len(r.seen) == 0 || now.Sub(r.seen[len(r.seen)-1].When) > seenEvery {
		r.seen = append(r.seen, sighting{r.at, now})
	}
	if r.at >= upTo {
		return errEnough
	}
	return nil
}

// piece gives the text of an event of JSON. Nearly all have no escape but that of a line's end, and are not decoded at length:
// fifty readers would else take all the time there is.
func (r *logReader) piece(data []byte) ([]byte, error) {
	prefix := append(strconv.AppendInt([]byte(`{"offset":`), r.at, 10), `,"text":"`...)
	if text, ok := bytes.CutPrefix(data, prefix); ok {
		text = bytes.TrimSuffix(text, []byte("\"}\n"))
		if bytes.Count(text, []byte(`\`)) == bytes.Count(text, []byte(`\n`)) {
			return bytes.ReplaceAll(text, []byte(`\n`), []byte("\n")), nil
		}
	}
	var piece struct {
		Offset       int64
		Text, Base64 *string
	}
	if err := json.Unmarshal(data, &piece); err != nil {
		return nil, err
	}
	if piece.Offset != r.at {
		return nil, fmt.Errorf("offset %d at %d", piece.Offset, r.at)
	}
	if piece.Text != nil {
		return []byte(*piece.Text), nil
	}
	return base64.StdEncoding.DecodeString(*piece.Base64)
}

// written is when a log went so far, as its writer was told.
type written []sighting

// late tells, in order, how long after it was written each of the readers had the end of what it had seen.
func (w written) late(read []logRead) (late []time.Duration) {
	for _, r := range read {
		for _, s := range r.Seen {
			i, _ := slices.BinarySearchFunc(w, s.At, func(a sighting, at int64) int { return int(a.At - at) })
			if i < len(w) {
				late = append(late, max(0, s.When.Sub(w[i].When)))
			}
		}
	}
	slices.Sort(late)
	return late
}

// rawLog serves events that were put together beforehand, as fast as they are taken: what is left to do is what any server of
// this log does on this machine.
func rawLog(size int) http.Handler {
	line := bytes.Repeat([]byte("x"), 99)
	text := bytes.Repeat(append(line, '\n'), 320)
	lines, escaped := bytes.TrimSuffix(bytes.ReplaceAll(text, []byte("\n"), []byte("\ndata: ")), []byte("data: ")), bytes.ReplaceAll(text, []byte("\n"), []byte(`\n`))
	var plain, exact [][]byte
	for at := 0; at < size; at += len(text) {
		plain = append(plain, fmt.Appendf(nil, "data: %sid: %d\n\n", lines, at+len(text)))
		exact = append(exact, fmt.Appendf(nil, "data: {\"offset\":%d,\"text\":\"%s\"}\nid: %d\n\n", at, escaped, at+len(text)))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		events := plain
		if r.URL.Query().Get("format") == "json" {
			events = exact
		}
		for _, event := range events {
			if _, err := w.Write(event); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, "data: [DONE]\nid: 0\n\n")
	})
}

// rawRate is how many MB a second so many readers take of a rawLog.
func rawRate(t testing.TB, readers, size int) float64 {
	t.Helper()
	server := httptest.NewServer(rawLog(size))
	defer server.Close()
	began := time.Now()
	read, _ := (&logReaders{Readers: readers, Stream: server.URL, Stay: true}).begin(t)()
	took := time.Since(began)
	for _, r := range read {
		if r.Fault != "" {
			t.Error(r.Fault)
		}
	}
	return float64(readers) * float64(size) / (1 << 20) / took.Seconds()
}
