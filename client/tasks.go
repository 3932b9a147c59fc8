package client

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// The states of a [Task].
const (
	TaskRunning   = "running"
	TaskSucceeded = "succeeded"
	TaskFailed    = "failed"
	TaskCanceled  = "canceled"
)

// Task is a piece of work whose output is kept, and can be watched while it grows.
type Task struct {
	ID        int64      `json:"id"`
	Title     string     `json:"title"`
	State     string     `json:"state"`
	ExitCode  *int64     `json:"exit_code"`
	Bytes     int64      `json:"bytes"` // the end of its log
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at"` // nil while it runs
}

// NewTask is what it takes to begin a [Task]. Who may read it are those in To, whoever made it, and admins.
type NewTask struct {
	Title string `json:"title"`
	To    To     `json:"to"`

	// IdempotencyKey tells a second try from a second task. When empty, each call of CreateTask gets one of its own.
	IdempotencyKey string `json:"-"`
}

// CreateTask begins a task. As [Client.Publish] does, it tries again where that may help, and makes one task however many
// tries it takes. The calls about tasks need the scope tasks:write.
func (c *Client) CreateTask(ctx context.Context, t NewTask) (*Task, error) {
	if t.IdempotencyKey == "" {
		t.IdempotencyKey = cryptorand.Text()
	}
	path, err := apiPath("tasks")
	if err != nil {
		return nil, err
	}
	var task Task
	header := http.Header{"Idempotency-Key": {t.IdempotencyKey}}
	if err := c.persist(ctx, func() error { return c.call(ctx, http.MethodPost, path, header, t, &task) }); err != nil {
		return nil, err
	}
	return &task, nil
}

// Task is the task as it stands now. It needs a key that made it, or may read it.
func (c *Client) Task(ctx context.Context, id int64) (*Task, error) {
	return ask[Task](ctx, c, http.MethodGet, nil, "tasks", strconv.FormatInt(id, 10))
}

// appendPiece is the most that one request carries; the server takes 16 MiB.
const appendPiece = 1 << 20

// AppendTask puts bytes at the end of a task's log, which the caller believes to be offset, and gives the new end. It
// returns when they are durable, and tries again where that may help. Where the log has grown by a part of the bytes
// already, as after a try whose answer was lost, it goes on behind that part: so a log must have one writer. Where the
// log's end is anywhere else the error is a [Problem] with that End.
func (c *Client) AppendTask(ctx context.Context, id, offset int64, text []byte) (end int64, err error) {
	for len(text) > 0 {
		piece := text[:min(len(text), appendPiece)]
		end, err := c.appendOnce(ctx, id, offset, piece)
		if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusConflict && p.End != nil &&
			*p.End > offset && *p.End <= offset+int64(len(piece)) {
			end, err = *p.End, nil
		}
		if err != nil {
			return offset, err
		}
		if end <= offset || end > offset+int64(len(piece)) {
			return offset, errors.New("client: the end of the log is not where it has to be")
		}
		text, offset = text[end-offset:], end
	}
	return offset, nil
}

func (c *Client) appendOnce(ctx context.Context, id, offset int64, piece []byte) (int64, error) {
	path, err := taskPath(id, "log")
	if err != nil {
		return 0, err
	}
	path += "?offset=" + strconv.FormatInt(offset, 10)
	header := http.Header{"Idempotency-Key": {cryptorand.Text()}}
	var log struct {
		End int64 `json:"end"`
	}
	err = c.persist(ctx, func() error {
		return c.exchange(ctx, http.MethodPost, path, header, "application/octet-stream", piece, &log)
	})
	return log.End, err
}

// FinishTask ends a task for good: with succeeded, failed or canceled, and with an exit code where there is one. A try
// whose answer was lost may have ended it: finding it ended in the same way is no error.
func (c *Client) FinishTask(ctx context.Context, id int64, state string, exitCode *int64) (*Task, error) {
	path, err := taskPath(id, "finish")
	if err != nil {
		return nil, err
	}
	in := struct {
		State    string `json:"state"`
		ExitCode *int64 `json:"exit_code,omitempty"`
	}{state, exitCode}
	var task Task
	err = c.persist(ctx, func() error { return c.call(ctx, http.MethodPost, path, nil, in, &task) })
	if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusConflict {
		if was, asked := c.Task(ctx, id); asked == nil && was.State == state {
			return was, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return &task, nil
}

func taskPath(id int64, what string) (string, error) {
	return apiPath("tasks", strconv.FormatInt(id, 10), what)
}
