package services

import (
	"context"
	"encoding/json"

	"belfry/models"
	"belfry/services/hub"
)

// statsReader is what a stream of figures has of its own. Its position is the number of the last moment that it was told.
type statsReader struct {
	nodes *Nodes
	who   identity
}

// samplesAtOnce bounds an event: it has to fit into what may wait for a stream, however many nodes there are.
const samplesAtOnce = 600

var errAdminsAlone = models.Errorf(models.CodeForbidden, "You may not do this.")

// OpenStats prepares a stream of how the nodes are, for an admin's session. An error is a refusal.
func (s *Streams) OpenStats(ctx context.Context, n *Nodes, cookie string, ticket *Ticket) (Opening, error) {
	admins := func(_ context.Context, who *identity) error {
		if who.live == nil || who.user.Role != models.RoleAdmin {
			return errAdminsAlone
		}
		return nil
	}
	return s.begin(ctx, StreamRequest{Cookie: cookie, Ticket: ticket}, admins, func(ctx context.Context, who *identity) (Opening, error) {
		return s.openStats(ctx, n, who)
	})
}

func (s *Streams) openStats(ctx context.Context, n *Nodes, who *identity) (Opening, error) {
	conn := s.hub.AddPulling(0, who.control(), ClassTask)
	stream, changes := s.begun(who, conn)
	stream.pull = &statsReader{nodes: n, who: *who}
	n.watch(conn)
	_, err := s.settleTask(ctx, conn, who)
	switch {
	case err != nil:
		stream.forget()
		return Opening{}, err
	case who.live.Verdict.State == models.SessionEnded:
		stream.forget()
		return s.openEnded(ctx, who.live, "")
	}
	s.watches.settled(who.live, who.at, changes)
	return Opening{First: lockFrame(s.sessions.present(who.live.Verdict), ""), Stream: stream}, nil
}

func (n *Nodes) watch(c *hub.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watchers[c] = struct{}{}
}

func (r *statsReader) leave(st *Stream) {
	r.nodes.mu.Lock()
	defer r.nodes.mu.Unlock()
	delete(r.nodes.watchers, st.conn)
}

func (*statsReader) kind() string { return "stats" }

// step sends what there was since the last one: all that is kept to begin with, then a moment after the other.
func (r *statsReader) step(ctx context.Context, st *Stream) error {
	turn := st.conn.Turn()
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	live, err := st.streams.sessions.current(ctx, r.who.live.ID)
	switch {
	case err != nil:
		return err
	case live.Verdict.State != models.SessionActive:
		st.conn.Rest(turn) // the entry that holds this stream is on its way
		return nil
	case live.User.Role != models.RoleAdmin:
		st.conn.End(Away()) // whoever comes back is refused
		return nil
	}
	pos, _ := st.conn.Position()
	event, upTo, err := r.nodes.since(pos)
	if err != nil {
		return err
	}
	if event == nil {
		st.conn.Rest(turn)
		return nil
	}
	frame := hub.NewFrame(event)
	frame.Class, frame.Offset = ClassTask, pos+1 // so that it is taken back when the session is locked before it was written
	st.conn.Advance([]*hub.Frame{frame}, upTo)
	return nil
}

// since gives the event with the moments after one, and the number of the last; none where there is nothing new.
func (n *Nodes) since(pos int64) (event []byte, upTo int64, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first := n.beats - int64(len(n.history)) // the number of the last that is not kept any more
	if pos >= n.beats {
		return nil, pos, nil
	}
	moments := n.history[max(0, pos-first):]
	moments = moments[max(0, len(moments)-samplesAtOnce/max(1, len(n.latest))):]
	data, err := json.Marshal(struct {
		Moments []Moment `json:"moments"`
	}{moments})
	return hub.Event{Name: "stats", Data: data}.Encode(), n.beats, err
}
