package services

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/announce"
	"belfry/services/journal"
)

// kindTask is the entry that a task begins or ends with.
const kindTask = "task"

// TaskCategory is that of the notice which a task's end is.
const TaskCategory = "task"

// taskTimeout bounds what a request changes of a task. It is not the request's own deadline: a caller that hangs up must
// not leave it open whether the commit happened.
const taskTimeout = 8 * time.Second

// Teller tells other nodes how far a task's log goes. What it says is a hint, and may be lost.
type Teller interface {
	Grew(task, end int64)
}

// Tasks keeps what other systems do for some time, and their logs.
type Tasks struct {
	db      *Database
	journal *journal.Journal
	notices *Notices
	teller  Teller
	logs    *taskLogs
	rights  atomic.Int64 // the last entry by which somebody may read more or less

	appended atomic.Int64 // bytes, by this node
}

// NewTasks makes the service.
func NewTasks(db *Database, j *journal.Journal, n *Notices, teller Teller) *Tasks {
	t := &Tasks{db: db, journal: j, notices: n, teller: teller}
	t.logs = newTaskLogs(t)
	j.Observe(func(e *journal.Entry) {
		switch e.Kind {
		case kindTask: // its end is told by the log
			t.logs.doubt(e.Subject)
		case kindMembership, kindAccount:
			// Whoever was sent away is so before that is answered: what a log gets after it is not theirs.
			// An entry is seen when it is committed and again in its turn: an older one must not take the place of a newer.
			for known := t.rights.Load(); known < e.Offset && !t.rights.CompareAndSwap(known, e.Offset); known = t.rights.Load() {
			}
		}
	}, func() {
		t.rights.Store(0) // offsets mean other entries
		t.logs.doubtAll()
	})
	return t
}

// Follow takes what other nodes say of logs that have readers here, and makes up for what was lost of it, until ctx ends.
func (t *Tasks) Follow(ctx context.Context, hints <-chan announce.Growth) { t.logs.follow(ctx, hints) }

// TaskView is a task as its readers see it.
type TaskView struct {
	ID        int64            `json:"id"`
	Title     string           `json:"title"`
	State     models.TaskState `json:"state" enum:"running,succeeded,failed,canceled"`
	ExitCode  *int64           `json:"exit_code" minimum:"-2147483648" maximum:"4294967295"`
	Bytes     int64            `json:"bytes" doc:"The end of its log"`
	CreatedAt models.Instant   `json:"created_at" format:"date-time"`
	EndedAt   *models.Instant  `json:"ended_at" format:"date-time"`
}

func viewOfTask(t *models.Task) TaskView {
	return TaskView{ID: t.ID, Title: t.Title, State: t.State, ExitCode: t.ExitCode, Bytes: t.Bytes, CreatedAt: t.CreatedAt, EndedAt: t.EndedAt}
}

// taskEvent is what streams tell of a task, but for its id, which is the entry's subject.
type taskEvent struct {
	Title string           `json:"title"`
	State models.TaskState `json:"state"`
	Bytes int64            `json:"bytes"`
}

// NewTask is a task that begins.
type NewTask struct {
	Title string
	To    Target // those who may read it, beside the creator and admins; nobody at all is possible
	Once  Repeatable
}

// Create begins a task. The same request again is told what it made then.
func (t *Tasks) Create(ctx context.Context, p *Principal, o NewTask) (view TaskView, replayed bool, err error) {
	row, draft, err := t.begin(ctx, p, o)
	if err != nil {
		if view, made := t.createdBy(ctx, o); made {
			return view, true, nil
		}
		return TaskView{}, false, err
	}
	receipts, err := t.journal.AppendWith(ctx, []journal.Draft{draft}, func(tx *gorm.DB, receipts []journal.Receipt) error {
		if receipts[0].Replayed {
			return nil
		}
		row.ID, row.CreatedAt, row.ChangedAt = receipts[0].Offset, models.Instant(receipts[0].CreatedAt), models.Instant(receipts[0].CreatedAt)
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		var recipients []models.TaskRecipient
		for _, audience := range draft.Audiences {
			recipients = append(recipients, models.TaskRecipient{Audience: audience, TaskID: row.ID})
		}
		if len(recipients) == 0 { // for its creator and admins alone; GORM refuses to write nothing
			return nil
		}
		return tx.CreateInBatches(recipients, nameChunk).Error
	})
	if err != nil {
		return TaskView{}, false, err
	}
	if receipts[0].Reused() {
		return TaskView{}, false, errOnceReused
	}
	row.ID, row.CreatedAt = receipts[0].Offset, models.Instant(receipts[0].CreatedAt)
	return viewOfTask(&row), receipts[0].Replayed, nil
}

// begin checks a new task, and makes its row and the log's entry of it.
func (t *Tasks) begin(ctx context.Context, p *Principal, o NewTask) (row models.Task, draft journal.Draft, err error) {
	var faults []models.FieldError
	if n := utf8.RuneCountInString(o.Title); n < 1 || n > models.MaxTaskTitle {
		faults = append(faults, models.FieldError{Field: "title", Detail: fmt.Sprintf("1 to %d characters.", models.MaxTaskTitle)})
	}
	if len(o.To.Users)+len(o.To.Groups) > models.MaxRecipients {
		faults = append(faults, models.FieldError{Field: "to", Detail: fmt.Sprintf("At most %d names.", models.MaxRecipients)})
	}
	if err := refuse(faults); err != nil {
		return row, draft, err
	}
	audiences, err := t.notices.audiences(ctx, o.To)
	if err != nil {
		return row, draft, err
	}
	row = models.Task{Title: o.Title, Creator: p.Actor(), Audiences: strings.Join(audiences, " "), State: models.TaskRunning}
	if draft, err = taskDraft(&row); err != nil {
		return row, draft, err
	}
	draft.Actor = p.Actor()
	if o.Once.Key != "" {
		draft.Once = &journal.Once{Principal: o.Once.Principal, Key: o.Once.Key, Digest: o.Once.Digest}
	}
	return row, draft, nil
}

// createdBy tells what the very same request made, though it could not be made now: a recipient may be gone since.
func (t *Tasks) createdBy(ctx context.Context, o NewTask) (TaskView, bool) {
	if o.Once.Key == "" {
		return TaskView{}, false
	}
	id, err := t.db.madeBy(ctx, o.Once)
	if err != nil || id == 0 {
		return TaskView{}, false
	}
	row := models.Task{ID: id, Title: o.Title, State: models.TaskRunning}
	if err := t.db.Read.WithContext(ctx).Raw("SELECT created_at FROM tasks WHERE id = ?", id).Scan(&row.CreatedAt).Error; err != nil {
		return TaskView{}, false
	}
	return viewOfTask(&row), true
}

// taskFrame is the data of a task event: what was stored, with the id before it.
func taskFrame(e *journal.Entry) []byte {
	b := append(make([]byte, 0, len(e.Payload)+32), `{"id":`...)
	b = append(strconv.AppendInt(b, e.Subject, 10), ',')
	return append(b, e.Payload[1:]...)
}

// taskDraft is the entry that tells of a task's beginning or end.
func taskDraft(row *models.Task) (journal.Draft, error) {
	payload, err := json.Marshal(taskEvent{Title: row.Title, State: row.State, Bytes: row.Bytes})
	return journal.Draft{Kind: kindTask, Subject: row.ID, Audiences: strings.Fields(row.Audiences), Payload: payload}, err
}

// TaskEnd is how a task ended.
type TaskEnd struct {
	State    models.TaskState
	ExitCode *int64
}

var errTaskEnded = models.Errorf(models.CodeConflict, "The task has ended.")

// Finish ends a task, once and for all. Its readers are told by their streams, and its recipients by a notice.
func (t *Tasks) Finish(ctx context.Context, p *Principal, id int64, end TaskEnd) (TaskView, error) {
	if end.ExitCode != nil && (*end.ExitCode < models.MinExitCode || *end.ExitCode > models.MaxExitCode) {
		return TaskView{}, models.InvalidField("exit_code", "A number of 32 bits.")
	}
	var row models.Task
	_, err := t.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		var rows []models.Task
		err := tx.Raw("UPDATE tasks SET state = ?, exit_code = ?, ended_at = "+t.db.now()+" WHERE id = ? AND state = ? AND (creator = ? OR ?) RETURNING *",
			end.State, end.ExitCode, id, models.TaskRunning, p.Actor(), p.IsAdmin()).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			if _, err := t.writable(tx, p, id); err != nil {
				return nil, err
			}
			return nil, errTaskEnded
		}
		row = rows[0]
		return t.endDrafts(p, &row)
	})
	return viewOfTask(&row), err
}

// endDrafts is what is told of a task's end.
func (t *Tasks) endDrafts(p *Principal, row *models.Task) ([]journal.Draft, error) {
	told, err := taskDraft(row)
	if err != nil {
		return nil, err
	}
	told.Actor = p.Actor()
	if len(told.Audiences) == 0 {
		return []journal.Draft{told}, nil
	}
	payload, err := json.Marshal(endNotice(p, row))
	if err != nil {
		return nil, err
	}
	notice := journal.Draft{Kind: kindNotice, Actor: p.Actor(), Topic: TaskCategory, Audiences: told.Audiences, Payload: payload}
	return []journal.Draft{told, notice}, nil
}

// endWords say how a task ended, in the notice of it.
var endWords = map[models.TaskState]struct{ severity, word string }{
	models.TaskSucceeded: {"success", "Succeeded"},
	models.TaskFailed:    {"warning", "Failed"}, // not critical: nobody's sleep is worth a broken build
	models.TaskCanceled:  {"info", "Canceled"},
}

// endNotice is the content of the notice that a task's end is. Its data says the same for programs.
func endNotice(p *Principal, row *models.Task) *models.NoticeContent {
	how := endWords[row.State]
	body := how.word
	if row.ExitCode != nil && row.State != models.TaskSucceeded {
		body += fmt.Sprintf(" with exit code %d", *row.ExitCode)
	}
	took := row.EndedAt.Time().Sub(row.CreatedAt.Time())
	link, category := fmt.Sprintf("/tasks/%d", row.ID), TaskCategory
	data, err := json.Marshal(map[string]any{"task": viewOfTask(row)})
	if err != nil {
		panic("services: a task has no JSON: " + err.Error()) // numbers and valid text always have
	}
	return &models.NoticeContent{Title: row.Title, Body: fmt.Sprintf("%s after %s.", body, took.Round(time.Second)), Format: formats[0],
		URL: &link, Actions: []models.Action{}, Severity: how.severity, Category: &category, Sender: p.sender(), Data: data}
}

// writable finds a task that the caller may add to: who created it, and admins.
func (t *Tasks) writable(tx *gorm.DB, p *Principal, id int64) (*models.Task, error) {
	var rows []models.Task
	err := tx.Raw("SELECT * FROM tasks WHERE id = ? AND (creator = ? OR ?)", id, p.Actor(), p.IsAdmin()).Scan(&rows).Error
	if err == nil && len(rows) == 0 {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

// readable says which tasks somebody may read: their own, and those they are recipients of. As with notices, what is for a
// group or for everyone is for those who were there before it began.
const readable = `(t.creator = @actor
	OR EXISTS (SELECT 1 FROM task_recipients r WHERE r.task_id = t.id AND (r.audience = @actor OR (r.audience = 'everyone' AND t.id > @joined)))
	OR EXISTS (SELECT 1 FROM memberships m JOIN task_recipients r ON r.task_id = t.id AND r.audience = 'group:' || m.group_id WHERE m.user_id = @user AND m.joined_offset < t.id))`

// taskAsker is who asks for tasks.
type taskAsker struct {
	actor string
	user  *models.User // nil: a key
}

func askerOf(p *Principal) taskAsker {
	if p.Live != nil {
		return taskAsker{p.Actor(), &p.Live.User}
	}
	return taskAsker{p.Actor(), nil}
}

func (a taskAsker) isAdmin() bool { return a.user != nil && a.user.Role == models.RoleAdmin }

func (a taskAsker) args() map[string]any {
	args := map[string]any{"actor": a.actor, "admin": a.isAdmin(), "user": int64(0), "joined": int64(math.MaxInt64)}
	if a.user != nil {
		args["user"], args["joined"] = a.user.ID, a.user.JoinedOffset
	}
	return args
}

// mayRead is readable, for somebody of whom it is known what they may read of the log.
func (a taskAsker) mayRead(row *models.Task, grants []journal.Grant) bool {
	if row.Creator == a.actor || a.isAdmin() {
		return true
	}
	audiences := strings.Fields(row.Audiences)
	return slices.ContainsFunc(grants, func(g journal.Grant) bool { return row.ID > g.After && slices.Contains(audiences, g.Audience) })
}

// Get gives a task that the caller may read; another is not there.
func (t *Tasks) Get(ctx context.Context, p *Principal, id int64) (TaskView, error) {
	row, err := t.read(ctx, askerOf(p), id)
	if err != nil {
		return TaskView{}, err
	}
	return viewOfTask(row), nil
}

func (t *Tasks) read(ctx context.Context, asker taskAsker, id int64) (*models.Task, error) {
	args := asker.args()
	args["id"] = id
	var rows []models.Task
	err := t.db.Read.WithContext(ctx).Raw("SELECT t.* FROM tasks t WHERE t.id = @id AND (@admin OR "+readable+")", args).Scan(&rows).Error
	if err == nil && len(rows) == 0 {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

// List gives a page of the tasks that the caller may read, the newest first; before 0 = from the newest on. next is where
// the page after it begins, 0 at the end.
func (t *Tasks) List(ctx context.Context, p *Principal, before int64, limit int) (page []TaskView, next int64, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	args := askerOf(p).args()
	args["before"], args["limit"] = before, limit+1
	// Each way of being a reader by its own index, newest first, so that what others have costs nothing.
	arms := []string{
		"SELECT id FROM tasks WHERE creator = @actor AND id < @before ORDER BY id DESC LIMIT @limit",
		"SELECT task_id FROM task_recipients WHERE audience = @actor AND task_id < @before ORDER BY task_id DESC LIMIT @limit",
		"SELECT task_id FROM task_recipients WHERE audience = 'everyone' AND task_id > @joined AND task_id < @before ORDER BY task_id DESC LIMIT @limit",
		`SELECT r.task_id FROM memberships m JOIN task_recipients r ON r.audience = 'group:' || m.group_id AND r.task_id > m.joined_offset
			WHERE m.user_id = @user AND r.task_id < @before ORDER BY r.task_id DESC LIMIT @limit`,
	}
	if p.IsAdmin() {
		arms = []string{"SELECT id FROM tasks WHERE id < @before ORDER BY id DESC LIMIT @limit"}
	}
	for i := range arms {
		arms[i] = fmt.Sprintf("SELECT * FROM (%s) arm%d", arms[i], i)
	}
	var rows []models.Task
	err = t.db.Read.WithContext(ctx).Raw("SELECT * FROM tasks WHERE id IN ("+strings.Join(arms, " UNION ")+") ORDER BY id DESC LIMIT @limit", args).Scan(&rows).Error
	if len(rows) > limit {
		rows, next = rows[:limit], rows[limit-1].ID
	}
	page = make([]TaskView, len(rows))
	for i := range rows {
		page[i] = viewOfTask(&rows[i])
	}
	return page, next, err
}
