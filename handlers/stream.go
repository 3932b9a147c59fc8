package handlers

import (
	"bytes"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
	"belfry/services/hub"
)

// writeTimeout is how long a write to a reader that does not read may take. What the kernel takes into
// its buffers counts as written, so this finds the stalled, not the vanished.
const writeTimeout = 10 * time.Second

// balancerHeader marks what comes through a balancer that asks another node where one answers 503, and shows its
// clients no 503 of a stream. nginx.conf sets it.
const balancerHeader = "X-Belfry-Balancer"

func balanced(c *gin.Context) bool { return c.GetHeader(balancerHeader) == "1" }

// leavingRetry is how long a balancer that has no other node is asked to wait.
const leavingRetry = 2 * time.Second

var errLeaving = &models.Error{Code: models.CodeUnavailable, Detail: "This node is leaving; ask another one.", RetryAfter: leavingRetry}

// elsewhere refuses new streams for a balancer's sake while the node leaves. Paused instead, a stream that comes
// back would come here again and again, for the node that sends its streams away has the fewest.
func (s *Server) elsewhere(c *gin.Context) {
	if !balanced(c) {
		return
	}
	select {
	case <-s.Streams.Draining():
		s.refuse(c, errLeaving)
	default:
	}
}

// stream serves the events of one person, narrowed to the given classes.
func (s *Server) stream(wants hub.Class) gin.HandlerFunc {
	return func(c *gin.Context) {
		req, err := s.streamRequest(c, wants)
		if err != nil {
			s.refuse(c, err)
			return
		}
		opening, err := s.Streams.Open(c.Request.Context(), req)
		s.answerStream(c, &opening, err)
	}
}

// answerStream sends what came of a request for a stream.
func (s *Server) answerStream(c *gin.Context, opening *services.Opening, err error) {
	switch {
	case err != nil:
		s.refuse(c, err)
		return
	case opening.NoContent:
		c.Status(http.StatusNoContent)
		return
	}
	if opening.Stream != nil && takesOver(c) {
		s.attach(c, opening)
		return
	}
	write := beginStream(c)
	if opening.Stream == nil {
		_ = write(opening.First) // the answer ends here, whether it arrives or not
		return
	}
	// However it ends, the reader comes back with its position.
	_ = opening.Stream.Serve(c.Request.Context(), opening.First, write)
}

// takesOver says whether the connection can be had for the stream alone: plain HTTP/1.1, as behind nginx. HTTP/2 shares
// one among many requests, TLS cannot be written to without waiting, HTTP/1.0 knows no chunks, and of a request with a body
// something may still come.
func takesOver(c *gin.Context) bool {
	r := c.Request
	return hub.Sockets && r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.TLS == nil && r.Body == http.NoBody
}

// attach gives the connection to the stream, and with it the server's buffers back: what an idle stream costs then is
// little more than its socket.
func (s *Server) attach(c *gin.Context, opening *services.Opening) {
	head := bytes.NewBuffer(append(make([]byte, 0, 1<<10), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: "...))
	head.Write(time.Now().UTC().AppendFormat(head.AvailableBuffer(), http.TimeFormat))
	head.WriteString("\r\n")
	// The connection ends with the stream. A balancer that keeps connections has to know, or it sends its next request
	// there. Clients must not: some take it that any end of such a connection is a good one, and do not come back after a cut.
	if balanced(c) {
		head.WriteString("Connection: close\r\n")
	}
	// Not by way of the answer's header: it has room for eight names, and to make more was a twentieth of what a stream costs
	// that comes back.
	for _, field := range streamFields {
		writeField(head, field.name, field.value)
	}
	writeHeader(head, c.Writer.Header())
	head.WriteString("\r\n")
	c.Status(http.StatusOK) // for the log
	err := opening.Stream.Attach(func() (net.Conn, error) {
		conn, _, err := c.Writer.Hijack()
		return conn, err
	}, head.Bytes(), opening.First)
	if err != nil {
		s.Log.ErrorContext(c.Request.Context(), "a connection cannot be taken over", "error", err)
	}
}

// writeHeader writes the fields in no order: that in which http.Header.Write puts them was a twentieth of what a stream costs
// that comes back. A line break in a value would begin a field of its own, so nothing with one is sent.
func writeHeader(head *bytes.Buffer, h http.Header) {
	for name, values := range h {
		for _, value := range values {
			if strings.IndexByte(value, '\n') < 0 && strings.IndexByte(value, '\r') < 0 {
				writeField(head, name, value)
			}
		}
	}
}

func writeField(head *bytes.Buffer, name, value string) {
	head.WriteString(name)
	head.WriteString(": ")
	head.WriteString(value)
	head.WriteString("\r\n")
}

// streamFields are what the head of a stream has besides that of any other answer. That nothing keeps it says middleware.NoStore,
// behind which all streams are.
var streamFields = [...]struct{ name, value string }{
	{"Content-Type", "text/event-stream"},
	{"X-Accel-Buffering", "no"}, // nginx would hold events back to fill its buffers
}

func (s *Server) streamRequest(c *gin.Context, wants hub.Class) (services.StreamRequest, error) {
	var query url.Values
	if c.Request.URL.RawQuery != "" { // most who come back have none
		query = c.Request.URL.Query()
	}
	req := services.StreamRequest{Wants: wants, Position: c.GetHeader("Last-Event-ID")}
	if req.Position == "" { // an empty header is what a client sends that has no position yet
		req.Position = query.Get("last_event_id")
	}
	var err error
	if req.Cookie, req.Ticket, err = s.streamCredential(c, query); err != nil {
		return req, err
	}
	if names := query["event"]; len(names) > 0 {
		var chosen hub.Class
		for _, name := range names {
			class, known := services.EventClasses[name]
			if !known {
				return req, models.InvalidField("event", "One of notice, notice_state, task, lock.")
			}
			chosen |= class
		}
		req.Wants &= chosen
	}
	if query.Has("unnamed") {
		unnamed, err := strconv.ParseBool(query.Get("unnamed"))
		if err != nil {
			return req, models.InvalidField("unnamed", "1 or 0.")
		}
		req.Unnamed = unnamed
	}
	return req, nil
}

// streamCredential finds who asks: a ticket beats the cookie, and a bad one is not made good by it.
func (s *Server) streamCredential(c *gin.Context, query url.Values) (cookie string, ticket *services.Ticket, err error) {
	token, given := middleware.Bearer(c)
	if !given && query.Has("token") {
		token, given = query.Get("token"), true
	}
	if !given {
		return s.cookies().Of(c), nil, nil
	}
	ticket, ok := s.Tokens.ParseTicket(token)
	if !ok {
		return "", nil, models.Errorf(models.CodeUnauthenticated, "The ticket is not valid.")
	}
	return "", ticket, nil
}

// beginStream sends the head of an event stream and gives the way to write to it. Each write is on
// the wire when it returns.
func beginStream(c *gin.Context) func([]byte) error {
	for _, field := range streamFields {
		c.Header(field.name, field.value)
	}
	c.Status(http.StatusOK)
	c.Writer.WriteHeaderNow()
	control := http.NewResponseController(c.Writer)
	// The deadline for reading the request still runs, and would end the stream as if the client had gone.
	_ = control.SetReadDeadline(time.Time{}) // a writer that cannot has no such deadline either
	return func(b []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		if _, err := c.Writer.Write(b); err != nil {
			return err
		}
		return control.Flush()
	}
}
