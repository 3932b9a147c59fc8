package services

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"belfry/models"
)

const (
	// questionTimeout is how long an answer of another node is waited for: a beat, and what the node takes.
	questionTimeout = nodeBeat + time.Second
	questionLook    = 50 * time.Millisecond
)

// question is what one node asks all of them.
type question struct {
	User  int64 `json:"user"`  // whose streams; 0 = everybody's
	Limit int   `json:"limit"` // of streams

	LogLevel string `json:"log_level,omitempty"` // to log from; empty = as it is
}

// nodeAnswer is what a node knows of itself alone.
type nodeAnswer struct {
	Streams   []StreamState `json:"streams"` // those that are most behind
	Open      int           `json:"open"`    // streams in all; 0 of a node of a version before, as in a rolling upgrade
	Delivered Delivered     `json:"delivered"`
	LogLevel  NodeLogLevel  `json:"log_level"`
}

// StreamState is how a stream is.
type StreamState struct {
	Node       string         `json:"node"`
	Username   string         `json:"user"`
	UserID     int64          `json:"user_id,omitempty" hidden:"true"` // between nodes alone
	Session    string         `json:"session" doc:"Hashed, as the record shows it; empty for a ticket that a key minted"`
	Kind       string         `json:"kind" enum:"notices,task,stats"`
	OpenedAt   models.Instant `json:"opened_at" format:"date-time"`
	QueueBytes int            `json:"queue_bytes"`
	Waiting    int64          `json:"waiting" doc:"Entries queued, or on their way"`
	LagMS      int64          `json:"lag_ms" doc:"For how long the reader has been behind; 0 = it keeps up"`
	Written    int64          `json:"written"`
	Replayed   int64          `json:"replayed"`
	Evictions  int64          `json:"evictions" doc:"Of this person's streams, by this node"`
}

// answer gives the others what they asked.
func (n *Nodes) answer(ctx context.Context) error {
	var asked []struct {
		ID       int64
		Question string
	}
	db := n.db.Write.WithContext(ctx)
	err := db.Raw(`SELECT id, question FROM node_questions q WHERE asked_at > now_ms() - ?
		AND NOT EXISTS (SELECT 1 FROM node_answers a WHERE a.question_id = q.id AND a.node_id = ?)`, nodeGone.Milliseconds(), n.id).Scan(&asked).Error
	if err != nil {
		return err
	}
	for _, a := range asked {
		var q question
		if json.Unmarshal([]byte(a.Question), &q) != nil {
			continue // of a version that asks what this one does not know
		}
		text, err := json.Marshal(n.own(q))
		if err != nil {
			return err
		}
		// Whoever asked may have had enough meanwhile.
		if err := db.Exec(`INSERT INTO node_answers (question_id, node_id, answer)
			SELECT id, ?, ? FROM node_questions WHERE id = ? FOR KEY SHARE ON CONFLICT DO NOTHING`, n.id, string(text), a.ID).Error; err != nil {
			return err
		}
	}
	return nil
}

// own is this node's answer.
func (n *Nodes) own(q question) nodeAnswer {
	a := nodeAnswer{LogLevel: n.logLevel(q.LogLevel)}
	if q.Limit > 0 {
		a.Streams, a.Open = n.streams.states(q.User, n.name)
		a.Streams = mostBehind(a.Streams, q.Limit)
	}
	if q.User != 0 {
		a.Delivered = n.streams.Delivered(q.User)
	}
	return a
}

// mostBehind orders streams by how much they matter to who runs this, and gives the first.
func mostBehind(list []StreamState, limit int) []StreamState {
	slices.SortFunc(list, func(a, b StreamState) int {
		return cmp.Or(cmp.Compare(b.LagMS, a.LagMS), cmp.Compare(b.QueueBytes, a.QueueBytes), cmp.Compare(b.Evictions, a.Evictions),
			cmp.Compare(b.OpenedAt, a.OpenedAt), cmp.Compare(a.Node, b.Node), cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Session, b.Session))
	})
	return list[:min(len(list), limit)]
}

// ask asks all nodes that live, and names those that did not answer.
func (n *Nodes) ask(ctx context.Context, q question) (answers []nodeAnswer, silent []string, err error) {
	answers, silent = []nodeAnswer{n.own(q)}, []string{}
	expected := map[string]string{}
	for _, r := range n.Reports() {
		if r.ID != n.id {
			expected[r.ID] = r.Name
		}
	}
	if len(expected) == 0 {
		return answers, silent, nil
	}
	text, err := json.Marshal(q)
	if err != nil {
		return nil, nil, err
	}
	var id int64
	if err := n.db.Write.WithContext(ctx).Raw("INSERT INTO node_questions (asked_at, question) VALUES (now_ms(), ?) RETURNING id", string(text)).Scan(&id).Error; err != nil {
		return nil, nil, err
	}
	defer func() {
		// What stays is removed in an hour.
		_ = n.db.Write.WithContext(context.WithoutCancel(ctx)).Exec("DELETE FROM node_questions WHERE id = ?", id).Error
	}()
	for tooLate := time.Now().Add(questionTimeout); len(expected) > 0 && time.Now().Before(tooLate); {
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(questionLook):
		}
		more, err := n.answered(ctx, id, expected)
		if err != nil {
			return nil, nil, err
		}
		answers = append(answers, more...)
	}
	for _, name := range expected {
		silent = append(silent, name)
	}
	slices.Sort(silent)
	return answers, silent, nil
}

// answered gives what nodes have answered of whom an answer is expected, and expects none of them any more.
func (n *Nodes) answered(ctx context.Context, id int64, expected map[string]string) (answers []nodeAnswer, err error) {
	var rows []struct{ NodeID, Answer string }
	err = n.db.Write.WithContext(ctx).Raw("SELECT node_id, answer FROM node_answers WHERE question_id = ?", id).Scan(&rows).Error
	for _, row := range rows {
		var a nodeAnswer
		if _, waited := expected[row.NodeID]; waited && json.Unmarshal([]byte(row.Answer), &a) == nil {
			answers = append(answers, a)
			delete(expected, row.NodeID)
		}
	}
	return answers, err
}

// StreamList is the streams of the nodes that answered, each counted when it listed its own: so the two agree.
type StreamList struct {
	Streams []StreamState
	Open    int // in all, whoever's
	Silent  []string
}

// Streams gives the streams of all nodes that are most behind, at most limit, and names nodes that did not answer. username
// picks one person's; empty = everybody's.
func (n *Nodes) Streams(ctx context.Context, username string, limit int) (*StreamList, error) {
	q := question{Limit: limit}
	if username != "" {
		user, err := n.named(ctx, username)
		if err != nil {
			return nil, err
		}
		q.User = user.ID
	}
	answers, silent, err := n.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	list := &StreamList{Streams: []StreamState{}, Silent: silent}
	for _, a := range answers {
		list.Streams = append(list.Streams, a.Streams...)
		list.Open += a.Open
	}
	list.Streams = mostBehind(list.Streams, limit)
	return list, n.nameStreams(ctx, list.Streams)
}

func (n *Nodes) named(ctx context.Context, username string) (*models.User, error) {
	var users []models.User
	err := n.db.Read.WithContext(ctx).Find(&users, "lower(username) = lower(?)", username).Error
	if err == nil && len(users) == 0 {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &users[0], nil
}

// nameStreams says whose they are.
func (n *Nodes) nameStreams(ctx context.Context, list []StreamState) error {
	ids := make([]int64, len(list))
	for i := range list {
		ids[i] = list[i].UserID
	}
	var users []models.User
	if err := n.db.Read.WithContext(ctx).Select("id", "username").Find(&users, "id IN ?", ids).Error; err != nil {
		return err
	}
	names := map[int64]string{}
	for _, u := range users {
		names[u.ID] = u.Username
	}
	for i := range list {
		list[i].Username, list[i].UserID = names[list[i].UserID], 0
	}
	return nil
}

// PersonDelivered is what was stored for a person and what became of it.
type PersonDelivered struct {
	Username  string    `json:"username"`
	Stored    int64     `json:"stored" doc:"Notices in the log that are theirs"`
	Delivered Delivered `json:"delivered" doc:"Of all nodes that answered"`
	Silent    []string  `json:"silent_nodes" doc:"Nodes that did not answer"`
}

// DeliveredTo tells what became of what was for a person, on all nodes.
func (n *Nodes) DeliveredTo(ctx context.Context, username string) (*PersonDelivered, error) {
	user, err := n.named(ctx, username)
	if err != nil {
		return nil, err
	}
	answers, silent, err := n.ask(ctx, question{User: user.ID})
	if err != nil {
		return nil, err
	}
	p := &PersonDelivered{Username: user.Username, Silent: silent}
	for _, a := range answers {
		p.Delivered.Add(a.Delivered.Account)
		p.Delivered.Resets += a.Delivered.Resets
	}
	summary, err := n.streams.notices.Summarise(ctx, user)
	if err != nil {
		return nil, err
	}
	may, args := make([]string, len(summary.Grants)), []any{kindNotice}
	for i, g := range summary.Grants {
		may[i], args = "r.audience = ? AND r.log_offset > ?", append(args, g.Audience, g.After)
	}
	err = n.db.Read.WithContext(ctx).Raw("SELECT count(DISTINCT r.log_offset) FROM recipients r JOIN entries e ON e.log_offset = r.log_offset"+
		" WHERE e.kind = ? AND ("+strings.Join(may, " OR ")+")", args...).Scan(&p.Stored).Error
	return p, err
}

// states is how the streams of a person on this node are, 0 = everybody's; and how many there are of everybody.
func (s *Streams) states(user int64, node string) (list []StreamState, all int) {
	type whose struct {
		*Stream
		evictions int64
	}
	var open []whose
	s.mu.Lock()
	for id, p := range s.people {
		all += len(p.open)
		if user == 0 || user == id {
			for _, st := range p.open {
				open = append(open, whose{st, p.past.Evicted})
			}
		}
	}
	s.mu.Unlock()
	for _, st := range open {
		state := st.conn.State()
		list = append(list, StreamState{Node: node, UserID: st.user, Session: hashedID(st.session), Kind: st.kind(), OpenedAt: st.began,
			QueueBytes: state.QueueBytes, Waiting: state.Waiting, LagMS: state.Lag.Milliseconds(), Written: state.Written, Replayed: state.Replayed,
			Evictions: st.evictions + state.Evicted})
	}
	return list, all
}

// kind is what the stream is of.
func (st *Stream) kind() string {
	if st.pull == nil {
		return "notices"
	}
	return st.pull.kind()
}
