package handlers_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"belfry/models"
)

// webfluxLimit is how many characters of an event Spring's WebFlux takes where nobody says otherwise.
const webfluxLimit = 256 << 10

// webflux reads blocks as Spring's ServerSentEventHttpMessageReader does (5.3 and later): lines end with LF or CRLF alone,
// names and ids are trimmed, of data one space goes, a retry has to be a number. It passes over what is no field of its own; this
// one does not. A block that is a comment alone is an event without data there, as it is in a browser's eyes none.
func webflux(stream string) (events []event, err error) {
	var e event
	var data []string
	size, comment := 0, ""
	for line := range strings.SplitSeq(stream, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if size += len([]rune(line)); size > webfluxLimit {
			return nil, fmt.Errorf("exceeded limit on max bytes to buffer: %.60q", line)
		}
		field, value, _ := strings.Cut(line, ":")
		switch field {
		case "data":
			data = append(data, strings.TrimPrefix(value, " "))
		case "id":
			e.id, e.hasID = strings.TrimSpace(value), true
		case "event":
			e.name = strings.TrimSpace(value)
		case "retry":
			e.retry = strings.TrimSpace(value)
			if _, err := strconv.ParseInt(e.retry, 10, 64); err != nil {
				return nil, err
			}
		case "":
			if line != "" {
				comment += value
				continue
			}
			if e.data = strings.Join(data, "\n"); len(data) > 0 {
				events = append(events, e)
			} else if comment == "" {
				return nil, fmt.Errorf("an event of nothing after %d", len(events))
			}
			e, data, size, comment = event{}, nil, 0, ""
		default:
			return nil, fmt.Errorf("no field: %.60q", line)
		}
	}
	return events, nil
}

// raw reads a stream up to a text that comes in it, or to its end, in whole blocks and without the last empty line.
func (c *client) raw(path, until string) string {
	c.Helper()
	resp, err := c.streams.Do(c.request(http.MethodGet, path, nil).WithContext(c.Context()))
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	var read bytes.Buffer
	piece := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(piece)
		read.Write(piece[:n])
		found := strings.Index(read.String(), until)
		whole := strings.LastIndex(read.String(), "\n\n")
		if whole < 0 || (err == nil && (found < 0 || whole < found)) {
			if err != nil {
				c.Fatal(err)
			}
			continue
		}
		if found < 0 {
			c.Fatalf("%s: ended without %q", path, until)
		}
		return read.String()[:whole+1]
	}
}

// asWebFlux wants a stream to be read there as it is read by the standard, and gives its events.
func (s *site) asWebFlux(stream string) []event {
	s.Helper()
	got, err := webflux(stream)
	if err != nil {
		s.Fatal(err)
	}
	events := make(chan event, 10_000)
	read(bufio.NewReader(strings.NewReader(stream+"\n")), events)
	close(events)
	var want []event
	for e := range events {
		if !strings.HasPrefix(e.name, "not a field: :") {
			want = append(want, e)
		}
	}
	if !slices.Equal(got, want) {
		s.Fatalf("%d events, want %d", len(got), len(want))
	}
	return got
}

// TestWebFlux has all kinds of streams read as a Spring application reads them: nothing of a Spring is here, its rules are.
func TestWebFlux(t *testing.T) {
	onEach(t, nil, func(s *site) {
		system, anna := s.taskCast()
		if got := s.asWebFlux(s.nobody().raw("/sse/clock?echo=1", "tick")); len(got) != 1 || got[0].name != "" || got[0].hasID {
			s.Errorf("clock %+v", got)
		}

		sender := s.bearer(s.addKey(models.ScopeNoticesWrite))
		mark := offsetOfHead(s, anna)
		send := func(title, body string) {
			sender.post("/api/v1/notices", map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": title, "body": body, "data": map[string]any{"x": strings.Repeat("\x02", 2700)}}).want(201)
		}
		send("a: b", " two\n\r\n lines\r: no comment\u2028")
		send("as large as can be", strings.Repeat("\x01", 16<<10))
		for _, query := range []string{"", "&unnamed=1"} {
			got := s.asWebFlux(anna.raw("/sse/stream?last_event_id="+mark+query, "as large as can be"))
			if len(got) != 4 || got[0].name != "hello" || got[0].retry == "" || got[2].object(s)["body"] != " two\n\r\n lines\r: no comment\u2028" {
				s.Errorf("stream %+v", got)
			}
		}
		if got := s.asWebFlux(anna.raw("/sse/stream?last_event_id=nonsense", "reset")); got[len(got)-1].name != "reset" {
			s.Errorf("reset %+v", got)
		}

		log := " indented\n\n:no comment\r\ndata: x\rid: 7\n" + strings.Repeat("\n", 150_000) + strings.Repeat("\xff", 200_000) + "\n" + strings.Repeat("ab\r\n", 50_000) + "last\t"
		task := system.newTask("anna")
		system.add(task, 0, log).want(200)
		system.finish(task, "succeeded").want(200)
		s.asWebFlux(anna.raw(following(task)+"?format=json", "[DONE]"))
		var lines []string
		text := s.asWebFlux(anna.raw(following(task), "[DONE]"))
		for _, e := range text[:len(text)-2] {
			lines = append(lines, e.data)
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\xff", "\ufffd").Replace(log)
		if got := strings.Join(lines, "\n"); strings.ReplaceAll(got, "\n", "") != strings.ReplaceAll(want, "\n", "") || strings.Count(got, "\n") < strings.Count(want, "\n") {
			s.Errorf("a log of %d characters, want %d", len(got), len(want))
		}
		if names := text[len(text)-2].name + " " + text[len(text)-1].data; names != "done [DONE]" {
			s.Error(names)
		}
	})
}

// offsetOfHead is where a stream would start now.
func offsetOfHead(s *site, c *client) string {
	s.Helper()
	st := c.stream("/sse/stream")
	defer st.close()
	return st.want("hello").id
}
