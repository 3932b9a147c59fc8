package handlers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"belfry/models"
	"belfry/services/hub"
)

// The bounds of the clock.
const (
	clockTicks    = 60
	clockMaxEvery = 120
)

type tick struct {
	Now     models.Instant `json:"now"`
	Message string         `json:"message"`
}

// clockRequest is what a client asks of the clock.
type clockRequest struct {
	every time.Duration
	echo  bool // a first comment says how the request came in
	fill  bool // filler follows the first tick
}

func parseClock(c *gin.Context) (clockRequest, error) {
	req := clockRequest{every: time.Second}
	if text, given := c.GetQuery("every"); given {
		every, err := strconv.Atoi(text)
		if err != nil || every < 1 || every > clockMaxEvery {
			return req, models.InvalidField("every", "1 to 120 seconds.")
		}
		req.every = time.Duration(every) * time.Second
	}
	for name, flag := range map[string]*bool{"echo": &req.echo, "fill": &req.fill} {
		text, given := c.GetQuery(name)
		if !given {
			continue
		}
		value, err := strconv.ParseBool(text)
		if err != nil {
			return req, models.InvalidField(name, "1 or 0.")
		}
		*flag = value
	}
	return req, nil
}

// clock ticks for anybody, a bounded number of times: a first thing to try streams, and what stands
// between, with.
func (s *Server) clock(c *gin.Context) {
	req, err := parseClock(c)
	if err != nil {
		s.refuse(c, err)
		return
	}
	write := beginStream(c)
	if req.echo && write(s.echo(c.Request)) != nil {
		return
	}
	ticker := time.NewTicker(req.every)
	defer ticker.Stop()
	for n := 1; ; n++ {
		data, err := json.Marshal(tick{Now: models.InstantOf(time.Now()), Message: "tick " + strconv.Itoa(n) + " of " + strconv.Itoa(clockTicks)})
		if err != nil || write(hub.Event{Data: data}.Encode()) != nil || n == clockTicks {
			return
		}
		if n == 1 && req.fill && s.fill(write) != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-c.Request.Context().Done():
			return
		case <-s.Streams.Draining():
			return
		}
	}
}

// echoed are the headers that streams live by and proxies lose.
var echoed = []string{"Authorization", "Cookie", "Last-Event-ID"}

// echo says, as a comment, how a request came in, for the client to compare with what it sent. Of the headers it
// gives the names alone. Being part of the text it comes through where a header would be lost.
func (s *Server) echo(r *http.Request) []byte {
	came := slices.DeleteFunc(slices.Clone(echoed), func(name string) bool { return r.Header.Get(name) == "" })
	text, err := json.Marshal(struct {
		Protocol    string   `json:"protocol"`
		Host        string   `json:"host"`
		Headers     []string `json:"headers"`
		HeartbeatMS int64    `json:"heartbeat_ms"`
	}{r.Proto, r.Host, came, s.Streams.Heartbeat().Milliseconds()})
	if err != nil {
		panic("handlers: an echo has no JSON: " + err.Error()) // strings and numbers always have
	}
	return slices.Concat([]byte(": "), text, []byte("\n\n"))
}

// The filler: more than all sockets on the way hold, in comments that each say when it was written. Where a reader that
// stops reads older times than that of its stop to the very end, something in between has taken in all of it.
const (
	fillBytes = 32 << 20
	fillBlock = 64 << 10
)

// fill writes the filler, for one client of this node at a time: anybody may ask for it. To others the clock only ticks.
func (s *Server) fill(write func([]byte) error) error {
	if !s.filling.CompareAndSwap(false, true) {
		return nil
	}
	defer s.filling.Store(false)
	padding := bytes.Repeat([]byte("."), fillBlock)
	for range fillBytes / fillBlock {
		block := strconv.AppendInt([]byte(": filler "), time.Now().UnixMilli(), 10)
		if err := write(slices.Concat(append(block, ' '), padding, []byte("\n\n"))); err != nil {
			return err
		}
	}
	return nil
}
