package services

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"unicode/utf8"

	"belfry/models"
	"belfry/services/hub"
)

// TaskStreamRequest is what a client asks for that wants to read a task's log as it grows.
type TaskStreamRequest struct {
	Cookie string
	Ticket *Ticket // beats the cookie
	Task   int64
	JSON   bool   // each byte as it is, in place of whole lines
	From   int64  // where to begin, as the client chose it
	Header string // the place as a browser repeats it, which beats From; empty = none
	Query  string // the same, as a client writes it that cannot set headers
}

// place is where the client says that it stands, malformed or not.
func (req *TaskStreamRequest) place() string { return cmp.Or(req.Header, req.Query) }

// OpenTask prepares a stream of a task's log. An error is a refusal of the credential, or of the task.
func (s *Streams) OpenTask(ctx context.Context, t *Tasks, req TaskStreamRequest) (Opening, error) {
	var row *models.Task
	readers := func(ctx context.Context, who *identity) (err error) {
		row, err = t.read(ctx, who.asker(), req.Task)
		return err
	}
	asked := StreamRequest{Cookie: req.Cookie, Ticket: req.Ticket, Position: req.place()}
	return s.begin(ctx, asked, readers, func(ctx context.Context, who *identity) (Opening, error) {
		return s.openTask(ctx, t, who, row, req)
	})
}

// control is what a stream of theirs is found under.
func (who *identity) control() []string {
	if who.live != nil {
		return []string{userAudience(who.user.ID), lockAudience(who.live.ID)}
	}
	return []string{userAudience(who.user.ID), keyAudience(who.key)}
}

func (who *identity) asker() taskAsker { return taskAsker{userAudience(who.user.ID), &who.user} }

func (s *Streams) openTask(ctx context.Context, t *Tasks, who *identity, row *models.Task, req TaskStreamRequest) (Opening, error) {
	reader := &taskReader{json: req.JSON, who: *who}
	from := req.From
	if text := req.place(); text != "" {
		at, ok := ParseLogPlace(text)
		if from = at; !ok {
			reader.refused = true
		}
	}
	if reader.refused = reader.refused || from > row.Bytes; reader.refused {
		from = row.Bytes
	}
	conn := s.hub.AddPulling(from, who.control(), ClassTask)
	stream, changes := s.begun(who, conn)
	reader.log = t.logs.join(row, conn)
	stream.pull = reader
	locked, err := s.settleTask(ctx, conn, who)
	switch {
	case err != nil:
		stream.forget()
		return Opening{}, err
	case who.live != nil && who.live.Verdict.State == models.SessionEnded:
		stream.forget()
		return s.openEnded(ctx, who.live, "")
	case !locked && row.Ended() && req.Header != "" && !reader.refused && from == row.Bytes:
		stream.forget()
		return Opening{NoContent: true}, nil
	}
	if who.live != nil {
		s.watches.settled(who.live, who.at, changes)
	}
	if locked {
		return Opening{First: lockFrame(s.sessions.present(who.live.Verdict), ""), Stream: stream}, nil
	}
	return Opening{Stream: stream}, nil
}

// settleTask finds out whether the session is locked, as often as the log brings a change meanwhile.
func (s *Streams) settleTask(ctx context.Context, conn *hub.Conn, who *identity) (locked bool, err error) {
	for {
		turn := conn.Turn()
		if err := s.reread(ctx, conn, who); err != nil {
			return false, err
		}
		locked = who.live != nil && who.live.Verdict.State != models.SessionActive
		if s.hub.Settle(conn, turn, nil, locked) {
			return locked, nil
		}
	}
}

// taskReader is what a stream of a task's log has of its own. Its position is that of the connection: behind the end once
// the end was told.
type taskReader struct {
	log     *taskLog
	json    bool
	who     identity
	refused bool  // the place that was asked for is none; to be told
	quiet   int64 // no line ends before this place
}

func (r *taskReader) leave(st *Stream) { r.log.leave(st.conn) }

func (*taskReader) kind() string { return "task" }

// step sends what comes next, if there is anything: no more than one event, so that a reader that is slow has no more than
// that in memory.
func (r *taskReader) step(ctx context.Context, st *Stream) error {
	turn := st.conn.Turn()
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	row, gone, err := r.log.look(ctx)
	if err != nil {
		return err
	}
	verdict, err := r.verdict(ctx, st.streams, &row)
	if err != nil {
		return err
	}
	switch {
	case gone || verdict == taskForbidden:
		st.conn.End(nil) // whoever comes back is told that it is not there
		return nil
	case verdict == taskWithheld:
		st.conn.Rest(turn) // the entry that holds this stream is on its way
		return nil
	case r.refused:
		pos, _ := st.conn.Position()
		r.refused = !st.conn.Restart(resetFrame("invalid", logPlaceText(pos)), pos)
		return nil
	}
	pos, _ := st.conn.Position()
	if pos > row.Bytes {
		st.conn.End(nil) // and the end was told
		return nil
	}
	frame, upTo, err := r.frame(ctx, &row, pos)
	if err != nil {
		return err
	}
	if frame == nil {
		st.conn.Rest(turn)
		return nil
	}
	st.conn.Advance([]*hub.Frame{frame}, upTo)
	return nil
}

// The verdicts on whether a reader gets anything now.
type taskVerdict int

const (
	taskAllowed taskVerdict = iota
	taskWithheld
	taskForbidden
)

// verdict says whether the reader may have what comes next. All it asks for is in memory, as a rule.
func (r *taskReader) verdict(ctx context.Context, s *Streams, row *models.Task) (taskVerdict, error) {
	if r.who.live != nil {
		live, err := s.sessions.current(ctx, r.who.live.ID)
		if err != nil {
			return taskWithheld, err
		}
		if live.Verdict.State != models.SessionActive {
			return taskWithheld, nil
		}
		r.who.live, r.who.user = live, live.User
	}
	known, err := s.summarise(ctx, &r.who.user, r.log.logs.tasks.rights.Load())
	if err != nil {
		return taskWithheld, err
	}
	if !r.who.asker().mayRead(row, known.Grants) {
		return taskForbidden, nil
	}
	return taskAllowed, nil
}

// taskDone is how a log's stream says that it is over.
type taskDone struct {
	State    models.TaskState `json:"state"`
	ExitCode *int64           `json:"exit_code"`
	Bytes    int64            `json:"bytes"`
}

// next gives the event that follows a place, and the place behind it; none where there is nothing yet.
func (r *taskReader) next(ctx context.Context, row *models.Task, pos int64) (event []byte, upTo int64, err error) {
	switch {
	case pos == row.Bytes && row.Ended():
		data, err := json.Marshal(taskDone{row.State, row.ExitCode, row.Bytes})
		id := logPlaceText(row.Bytes)
		event = hub.Event{ID: id, Name: "done", Data: data}.Encode()
		return append(event, hub.Event{ID: id, Data: []byte("[DONE]")}.Encode()...), row.Bytes + 1, err
	case pos == row.Bytes:
		return nil, pos, nil
	case r.json:
		return r.nextPiece(ctx, row, pos)
	default:
		return r.nextLines(ctx, row, pos)
	}
}

func (r *taskReader) nextPiece(ctx context.Context, row *models.Task, pos int64) (event []byte, upTo int64, err error) {
	upTo = min(pieceEnd(pos), row.Bytes)
	text, err := r.log.text(ctx, pos, upTo)
	if err == nil && len(text) < utf8.UTFMax { // a rune may be cut by the end of a block
		text, err = r.log.stretch(ctx, pos, upTo)
	}
	if err != nil {
		return nil, pos, err
	}
	n, isText := nextPiece(text, row.Ended() && pos+int64(len(text)) == row.Bytes)
	if n == 0 {
		return nil, pos, nil
	}
	event, err = pieceEvent(text[:n], pos, isText)
	return event, pos + int64(n), err
}

func (r *taskReader) nextLines(ctx context.Context, row *models.Task, pos int64) (event []byte, upTo int64, err error) {
	from := max(pos, r.quiet)
	text, err := r.log.text(ctx, from, row.Bytes)
	for err == nil {
		at := from + int64(len(text))
		last := row.Ended() && at == row.Bytes
		n := wholeLines(text, last)
		tooLong := n == 0 && at-pos >= taskLine
		switch {
		case n > 0 || last || tooLong:
			lines := text
			if from > pos {
				lines, err = r.log.stretch(ctx, pos, at)
			}
			if err != nil {
				return nil, pos, err
			}
			if lines = lines[:from+int64(n)-pos]; tooLong {
				lines = lines[:at-pos]
				lines = lines[:cutLine(lines)]
			} else if fits := fitting(lines); fits < len(lines) {
				lines, r.quiet = lines[:fits], 0 // there are whole lines behind them
			}
			upTo = pos + int64(len(lines))
			return linesEvent(lines, upTo), upTo, nil
		case at == row.Bytes:
			r.quiet = at
			if bytes.HasSuffix(text, []byte("\r")) { // the next byte says what it is
				r.quiet--
			}
			return nil, pos, nil
		}
		var more []byte
		more, err = r.log.text(ctx, at, row.Bytes)
		text = bytes.Join([][]byte{text, more}, nil)
	}
	return nil, pos, err
}
