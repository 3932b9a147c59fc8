package handlers

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

type createTaskInput struct {
	OnceInput
	Body struct {
		Title string   `json:"title" minLength:"1" maxLength:"200"`
		To    Audience `json:"to,omitempty" doc:"Who may read it, beside its creator and admins"`
	}
}

func (s *Server) createTask(ctx context.Context, in *createTaskInput) (*created[services.TaskView], error) {
	once, err := in.repeatable(ctx, "POST /tasks")
	if err != nil {
		return nil, err
	}
	b := &in.Body
	view, replayed, err := s.Tasks.Create(ctx, middleware.PrincipalOf(ctx), services.NewTask{Title: b.Title, Once: once, To: services.Target(b.To)})
	if err != nil {
		return nil, err
	}
	return createdAnswer(view, replayed), nil
}

func (s *Server) listTasks(ctx context.Context, in *PageInput) (*answer[items[services.TaskView]], error) {
	before, err := beforeID(in.Before)
	if err != nil {
		return nil, err
	}
	page, next, err := s.Tasks.List(ctx, middleware.PrincipalOf(ctx), before, in.Limit)
	return respond(pageOf(page, next), err)
}

func (s *Server) getTask(ctx context.Context, in *idPath) (*answer[services.TaskView], error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	return respond(s.Tasks.Get(ctx, middleware.PrincipalOf(ctx), id))
}

type finishTaskInput struct {
	ID   string `path:"id"`
	Body struct {
		State    models.TaskState `json:"state" enum:"succeeded,failed,canceled"`
		ExitCode *int64           `json:"exit_code,omitempty" minimum:"-2147483648" maximum:"4294967295" nullable:"true"`
	}
}

func (s *Server) finishTask(ctx context.Context, in *finishTaskInput) (*answer[services.TaskView], error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	return respond(s.Tasks.Finish(ctx, middleware.PrincipalOf(ctx), id, services.TaskEnd{State: in.Body.State, ExitCode: in.Body.ExitCode}))
}

type appendTaskInput struct {
	OnceInput
	ID     string `path:"id"`
	Offset int64  `query:"offset" required:"true" minimum:"0" doc:"Where the bytes belong: the log's end"`
}

type logEnd struct {
	End int64 `json:"end"`
}

// appendTaskRoute registers the one route that takes bytes as they are.
func (s *Server) appendTaskRoute(api huma.API, rule middleware.Rule, path string) {
	op := s.operation(rule, http.MethodPost, path)
	op.Middlewares = append(op.Middlewares, middleware.Bulk(s.Log), middleware.Remains(s.Sessions, rule, s.Log))
	register(s, api, op, s.appendTask)
	// Afterwards, or huma would look at the body's type.
	api.OpenAPI().Paths[path].Post.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{
		"*/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}
}

func (s *Server) appendTask(ctx context.Context, in *appendTaskInput) (*created[logEnd], error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	once, err := in.repeatable(ctx, fmt.Sprintf("POST /tasks/%d/log?offset=%d", id, in.Offset))
	if err != nil {
		return nil, err
	}
	end, replayed, err := s.Tasks.Append(ctx, middleware.PrincipalOf(ctx), id, in.Offset, middleware.RawBody(ctx), once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(logEnd{End: end}, replayed), nil
}

type taskLogInput struct {
	ID   string `path:"id"`
	From string `query:"from" maxLength:"20" doc:"A byte from the log's start; 0 when left out"`
	// Of a log that is larger than a page should hold, a page asks for what it shows.
	Limit int64 `query:"limit" minimum:"1" doc:"At most so many bytes; all that there are when left out"`
}

// downloadTimeout bounds an answer that is a whole log.
const downloadTimeout = 10 * time.Minute

// taskLogRoute registers the route whose answer is the log itself.
func (s *Server) taskLogRoute(api huma.API, rule middleware.Rule, path string) {
	header := func(schema *huma.Schema, doc string) *huma.Param {
		return &huma.Param{Schema: schema, Description: doc}
	}
	op := s.operation(rule, http.MethodGet, path)
	op.Responses = map[string]*huma.Response{"200": {Description: "The log",
		Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
		Headers: map[string]*huma.Param{
			"Log-End":    header(&huma.Schema{Type: huma.TypeInteger}, "The place after the log's last byte: where a stream goes on, unless limit cut the answer short of it"),
			"Task-State": header(&huma.Schema{Type: huma.TypeString, Enum: []any{"running", "succeeded", "failed", "canceled"}}, "How the task stood then"),
		}}}
	register(s, api, op, func(ctx context.Context, in *taskLogInput) (*huma.StreamResponse, error) {
		text, err := s.taskText(ctx, in)
		if err != nil {
			return nil, err
		}
		first, err := text.Next(ctx)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(to huma.Context) { s.sendTaskText(to, text, first) }}, nil
	})
}

func (s *Server) taskText(ctx context.Context, in *taskLogInput) (*services.TaskText, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	from, err := logPlace(in.From)
	if err != nil {
		return nil, err
	}
	return s.Tasks.Text(ctx, middleware.PrincipalOf(ctx), services.TaskStretch{Task: id, From: from, Limit: in.Limit})
}

// logPlace reads a byte's place in a log, and 0 of none.
func logPlace(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	at, ok := services.ParseLogPlace(text)
	if !ok {
		return 0, errLogPlace
	}
	return at, nil
}

var errLogPlace = models.InvalidField("from", "A byte's place: 0 or more.")

// pieceTimeout is how long a reader that does not read may keep a piece of a log waiting.
const pieceTimeout = 30 * time.Second

func (s *Server) sendTaskText(to huma.Context, text *services.TaskText, piece []byte) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(to.Context()), downloadTimeout)
	defer cancel()
	to.SetHeader("Content-Type", "text/plain; charset=utf-8")
	to.SetHeader("Content-Length", strconv.FormatInt(text.UpTo-text.From, 10))
	to.SetHeader("Log-End", strconv.FormatInt(text.Task.Bytes, 10))
	to.SetHeader("Task-State", string(text.Task.State))
	control := http.NewResponseController(humagin.Unwrap(to).Writer)
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }() // or it would cut off the connection's next answer
	for len(piece) > 0 {
		err := control.SetWriteDeadline(time.Now().Add(pieceTimeout))
		if err == nil {
			_, err = to.BodyWriter().Write(piece)
		}
		if live := middleware.PrincipalOf(ctx).Live; err == nil && live != nil {
			err = s.Sessions.Remains(ctx, live) // or a lock would let the rest through
		}
		if err == nil {
			piece, err = text.Next(ctx)
		}
		if err != nil {
			if ctx.Err() == nil && services.IsPassing(err) {
				s.Log.WarnContext(ctx, "a log was cut short", "error", err)
			}
			panic(http.ErrAbortHandler) // the one way to say that the answer is not whole
		}
	}
}
