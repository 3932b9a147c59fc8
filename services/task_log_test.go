package services

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"belfry/internal/testpg"
	"belfry/migrations"
	"belfry/models"
	"belfry/services/announce"
	"belfry/services/journal"
)

// runner is a system that runs tasks.
func (n *node) runner(t *testing.T) *Principal {
	t.Helper()
	key, _, err := n.keys.Create(t.Context(), KeySpec{Name: "runner", Scopes: []models.Scope{models.ScopeTasksWrite}})
	must(t, err)
	return &Principal{Key: key}
}

func (n *node) task(t *testing.T, p *Principal, users ...string) int64 {
	t.Helper()
	view, _, err := n.tasks.Create(t.Context(), p, NewTask{Title: "Deploy", To: Target{Users: users}})
	must(t, err)
	return view.ID
}

func (n *node) add(t *testing.T, p *Principal, task, offset int64, text string) int64 {
	t.Helper()
	end, _, err := n.tasks.Append(t.Context(), p, task, offset, []byte(text), Repeatable{})
	must(t, err)
	return end
}

// reading opens a stream of a task's log.
func (n *node) reading(t *testing.T, req TaskStreamRequest) *sink {
	t.Helper()
	opening, err := n.OpenTask(t.Context(), n.tasks, req)
	must(t, err)
	if opening.Stream == nil {
		t.Fatalf("no stream: %s", opening.First)
	}
	s := &sink{events: make(chan sseEvent, 10_000), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	s.leave = cancel
	s.wg.Go(func() {
		defer close(s.done)
		s.err = opening.Stream.Serve(ctx, opening.First, func(b []byte) error {
			if len(b) > 0 {
				s.take(t, b)
			}
			return nil
		})
	})
	t.Cleanup(func() { cancel(); s.wg.Wait() })
	return s
}

// TestTaskLogOnNodes: what is added on one node is read on another, by a hint at once, and without one by its own look.
func TestTaskLogOnNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		deaf, told := newNodeOn(t, n), newNodeOn(t, n)
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		p := n.runner(t)
		task := n.task(t, p, "ann")
		here, there, hinted := n.reading(t, TaskStreamRequest{Cookie: cookie, Task: task}), deaf.reading(t, TaskStreamRequest{Cookie: cookie, Task: task}), told.reading(t, TaskStreamRequest{Cookie: cookie, Task: task})
		end := int64(0)
		for i := range 3 {
			end = n.add(t, p, task, end, fmt.Sprintf("line %d\n", i))
			told.tasks.logs.hinted(task, end)
			told.tasks.logs.hinted(task, end) // doubled
			told.tasks.logs.hinted(task, 1)   // late
			told.tasks.logs.hinted(task+1, 1) // of what nobody reads
			for name, s := range map[string]*sink{"here": here, "there": there, "hinted": hinted} {
				if e := s.next(t, ""); e.data != fmt.Sprintf("line %d", i) || e.id != logPlaceText(end) {
					t.Errorf("%s: %+v", name, e)
				}
			}
			n.tasks.logs.grown(task, 1) // late, as of two requests whose order turned around
		}
		_, err := n.tasks.Finish(t.Context(), p, task, TaskEnd{State: models.TaskSucceeded})
		must(t, err)
		for _, s := range []*sink{here, there, hinted} {
			s.next(t, "done")
			s.next(t, "")
			<-s.done
		}
		for _, at := range []*node{n, deaf, told} {
			if ids := at.tasks.logs.ids(); len(ids) != 0 {
				t.Errorf("logs without readers stay in memory: %v", ids)
			}
		}
	})
}

// TestTaskChunks: whatever is appended, each stretch of the log is read as it was written, and pieces are neither too many
// nor too long.
func TestTaskChunks(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		p := n.runner(t)
		task := n.task(t, p)
		var want []byte
		for i := range 400 {
			piece := bytes.Repeat([]byte{byte(i), '\r', 0xff, 0}, 1+i%7)
			if i%100 == 50 {
				piece = bytes.Repeat(piece, 20_000)
			}
			want = append(want, piece...)
			n.add(t, p, task, int64(len(want)-len(piece)), string(piece))
		}
		for from := 0; from < len(want); from += 1 + from/3 {
			for _, length := range []int{1, 100, taskMerge, 70_000, len(want)} {
				upTo := min(from+length, len(want))
				if text := got(n.tasks.bytesOf(t.Context(), task, int64(from), int64(upTo)))(t); !bytes.Equal(text, want[from:upTo]) {
					t.Fatalf("[%d, %d) is not what was written", from, upTo)
				}
			}
		}
		longest, rows := n.number(t, "SELECT max(length(data)) FROM task_chunks"), n.number(t, "SELECT count(*) FROM task_chunks")
		if longest > models.MaxTaskChunk || rows > int64(len(want)/taskMerge)+20 {
			t.Errorf("%d pieces of at most %d bytes", rows, longest)
		}
	})
}

// TestTaskLongLine: a line that is too long for memory goes out in pieces, as soon as it is.
func TestTaskLongLine(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		p := n.runner(t)
		task := n.task(t, p, "ann")
		s := n.reading(t, TaskStreamRequest{Cookie: cookie, Task: task})
		line := strings.Repeat("漢", taskLine/2) + "\nnext\n"
		half := len(line)/2 + 1
		n.add(t, p, task, 0, line[:half])
		n.add(t, p, task, int64(half), line[half:])
		text := ""
		for !strings.HasSuffix(text, "next") {
			e := s.next(t, "")
			if len(e.data) > taskLine+taskBlock || strings.Contains(e.data, "�") {
				t.Fatalf("%d bytes", len(e.data))
			}
			text += e.data
		}
		if want := strings.ReplaceAll(line, "\n", ""); text != want { // sinks join lines
			t.Errorf("%d bytes, want %d", len(text), len(want))
		}
	})
}

// TestTaskTrim: a task goes with its log when it ended, or last grew, as long ago as the log is kept.
func TestTaskTrim(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		p := n.runner(t)
		ended, silent, running := n.task(t, p, "ann"), n.task(t, p, "ann"), n.task(t, p, "ann")
		for _, task := range []int64{ended, silent, running} {
			n.add(t, p, task, 0, strings.Repeat("x\n", 5_000_000))
		}
		got(n.tasks.Finish(t.Context(), p, ended, TaskEnd{State: models.TaskFailed}))(t)
		s := n.reading(t, TaskStreamRequest{Cookie: cookie, Task: silent, From: 10_000_000})
		n.run(t, "UPDATE tasks SET created_at = created_at - 7200000, changed_at = changed_at - 7200000, ended_at = ended_at - 7200000 WHERE id <> ?", running)
		n.deafen() // it does not look by itself: whoever deletes a task tells its readers
		must(t, n.tasks.Trim(t.Context(), time.Hour.Milliseconds()))
		select {
		case <-s.done:
		case <-time.After(patience):
			t.Fatal("the stream of a task that was deleted does not end")
		}
		for _, table := range []string{"tasks", "task_recipients", "task_chunks"} {
			column := map[string]string{"tasks": "id"}[table]
			if column == "" {
				column = "task_id"
			}
			if gone, kept := n.number(t, "SELECT count(*) FROM "+table+" WHERE "+column+" <> ?", running), n.number(t, "SELECT count(*) FROM "+table+" WHERE "+column+" = ?", running); gone != 0 || kept == 0 {
				t.Errorf("%s: %d rows are left, %d kept", table, gone, kept)
			}
		}
		_, err := n.OpenTask(t.Context(), n.tasks, TaskStreamRequest{Cookie: cookie, Task: silent})
		refused(t, "a task that was trimmed", err, models.CodeNotFound)
	})
}

// TestTaskTrimLooksAtOneTask, where it makes publishers wait: SQLite decides by the form of a statement, whatever the size of the tables.
func TestTaskTrimLooksAtOneTask(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t))
	n.person(t, "ann")
	p := n.runner(t)
	n.add(t, p, n.task(t, p, "ann"), 0, "x\n")
	n.run(t, "UPDATE tasks SET created_at = created_at - 7200000, changed_at = changed_at - 7200000")
	var plans []string
	must(t, n.db.Write.Callback().Raw().Before("gorm:raw").Register("test:plan", func(tx *gorm.DB) {
		var steps []struct{ Detail string }
		must(t, n.db.Read.WithContext(t.Context()).Raw("EXPLAIN QUERY PLAN "+tx.Statement.SQL.String(), tx.Statement.Vars...).Scan(&steps).Error)
		for _, step := range steps {
			plans = append(plans, step.Detail)
		}
	}))
	must(t, n.tasks.Trim(t.Context(), time.Hour.Milliseconds()))
	if n.number(t, "SELECT count(*) FROM tasks") != 0 || len(plans) == 0 {
		t.Errorf("nothing was trimmed: %v", plans)
	}
	for _, step := range plans {
		if strings.HasPrefix(step, "SCAN tasks") {
			t.Errorf("all tasks are looked through: %v", plans)
		}
	}
}

// taskWriter tells a process, which is this test binary once more, to append to a task until it is killed.
var taskWriter = flag.String("task-writer", "", "address of the database, and the task, that are written to")

// TestTaskWriter is that process. Among the tests themselves there is nothing to it.
func TestTaskWriter(t *testing.T) {
	address, id, _ := strings.Cut(*taskWriter, " ")
	if address == "" {
		return
	}
	task, _ := ParseLogPlace(id)
	db := got(OpenDatabase(t.Context(), address))(t)
	j := got(journal.Open(t.Context(), db.Read, db.Write, announce.NewLocal(), slog.New(slog.DiscardHandler)))(t)
	tasks := NewTasks(db, j, NewNotices(db, j), announce.NewLocal())
	var key models.Key
	must(t, db.Read.Last(&key).Error)
	for i, end := 0, int64(0); ; i++ {
		next, _, err := tasks.Append(context.Background(), &Principal{Key: &key}, task, end, fmt.Appendf(nil, "line %d\n", i), Repeatable{})
		must(t, err)
		end = next
		fmt.Printf("ACK %d\n", end)
	}
}

// TestTaskOfAWriterThatIsKilled: what was acknowledged is there, and whoever goes on is told where.
func TestTaskOfAWriterThatIsKilled(t *testing.T) {
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) { t.Parallel(); killedWriter(t, sqliteAddress(t)) })
	t.Run(Postgres, func(t *testing.T) { t.Parallel(); killedWriter(t, testpg.Database(t)) })
}

func killedWriter(t *testing.T, address string) {
	var task int64
	t.Run("begin", func(t *testing.T) {
		n := newNode(t, address) // gone at the end of this: one process at a time has SQLite's file
		task = n.task(t, n.runner(t))
	})
	writer := exec.Command(os.Args[0], "-test.run=^TestTaskWriter$", "-task-writer="+address+" "+logPlaceText(task))
	out := got(writer.StdoutPipe())(t)
	must(t, writer.Start())
	var seen bytes.Buffer
	for buf := make([]byte, 4096); bytes.Count(seen.Bytes(), []byte("ACK")) < 50; {
		k, err := out.Read(buf)
		if err != nil {
			t.Fatalf("%v: %s", err, seen.Bytes())
		}
		seen.Write(buf[:k])
	}
	must(t, writer.Process.Kill())
	for buf := make([]byte, 4096); ; {
		k, err := out.Read(buf)
		seen.Write(buf[:k])
		if err != nil {
			break
		}
	}
	_ = writer.Wait() // it was killed
	whole := seen.Bytes()[:bytes.LastIndexByte(seen.Bytes(), '\n')]
	acknowledged, _ := ParseLogPlace(string(whole[bytes.LastIndexByte(whole, ' ')+1:]))
	t.Run("go on", func(t *testing.T) {
		n := newNode(t, address)
		var key models.Key
		must(t, n.db.Read.Last(&key).Error)
		p := &Principal{Key: &key}
		_, _, err := n.tasks.Append(t.Context(), p, task, 0, []byte("x"), Repeatable{})
		end := *refused(t, "from the start", err, models.CodeConflict).End
		if end < acknowledged {
			t.Errorf("the log ends at %d, %d were acknowledged", end, acknowledged)
		}
		text := string(got(n.tasks.bytesOf(t.Context(), task, 0, end))(t))
		for i, line := range plainLines([]byte(text)) {
			if line != fmt.Sprintf("line %d", i) {
				t.Fatalf("line %d is %q", i, line)
			}
		}
		end = n.add(t, p, task, end, "the rest\n")
		if view := got(n.tasks.Finish(t.Context(), p, task, TaskEnd{State: models.TaskCanceled}))(t); view.Bytes != end {
			t.Errorf("%+v, want %d bytes", view, end)
		}
	})
}

// TestTaskMigration goes back and forth over what is there.
func TestTaskMigration(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		p := n.runner(t)
		n.add(t, p, n.task(t, p), 0, "text\n")
		provider := got(migrations.Provider(n.db.Dialect, n.db.SQL()))(t)
		first := map[string]int64{SQLite: 13, Postgres: 16}[n.db.Dialect] - 1
		_, err := provider.DownTo(t.Context(), first)
		must(t, err)
		_, err = provider.Up(t.Context())
		must(t, err)
		n.add(t, p, n.task(t, p), 0, "text\n")
		if rows := n.number(t, "SELECT count(*) FROM tasks"); rows != 1 {
			t.Errorf("%d tasks", rows)
		}
	})
}

// TestAppendFarBeyond: where no log ends is another place than the end, and nobody else hears more of it.
func TestAppendFarBeyond(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		p := n.system(t)
		view, _, err := n.tasks.Create(t.Context(), p, NewTask{Title: "x"})
		must(t, err)
		_, _, err = n.tasks.Append(t.Context(), p, view.ID, models.MaxTaskLog+1, []byte("x"), Repeatable{})
		refused(t, "beyond", err, models.CodeConflict)
		_, _, err = n.tasks.Append(t.Context(), p, view.ID, 1<<63-1, []byte("x"), Repeatable{})
		refused(t, "the furthest", err, models.CodeConflict)
		_, _, err = n.tasks.Append(t.Context(), p, 12345, models.MaxTaskLog+1, []byte("x"), Repeatable{})
		refused(t, "nowhere", err, models.CodeNotFound)
	})
}

// TestTaskTrimLeavesWhatGrewMeanwhile: a task that was due when it was looked for, and is not when its turn comes, goes on.
func TestTaskTrimLeavesWhatGrewMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		p := n.runner(t)
		task := n.task(t, p, "ann")
		n.add(t, p, task, 0, "x")
		must(t, n.tasks.remove(t.Context(), task, "COALESCE(ended_at, changed_at) < "+n.db.now()+" - ?", time.Hour.Milliseconds()))
		n.add(t, p, task, 1, "y")
		reader := &Principal{Live: n.resolve(t, cookie)}
		if view := got(n.tasks.Get(t.Context(), reader, task))(t); view.State != models.TaskRunning || view.EndedAt != nil || view.Bytes != 2 {
			t.Errorf("%+v", view)
		}
		if text := got(n.tasks.bytesOf(t.Context(), task, 0, 2))(t); string(text) != "xy" {
			t.Errorf("its log is %q", text)
		}
	})
}

// TestReaderOfATask: what is for a group or for everyone is for those who were there before it began, as a stream asks at each step.
func TestReaderOfATask(t *testing.T) {
	t.Parallel()
	row := &models.Task{ID: 5, Creator: "key:1", Audiences: "user:2 group:7"}
	for name, c := range map[string]struct {
		asker taskAsker
		grant journal.Grant
		may   bool
	}{
		"recipient":      {taskAsker{"user:2", &models.User{}}, journal.Grant{Audience: "user:2"}, true},
		"member before":  {taskAsker{"user:3", &models.User{}}, journal.Grant{Audience: "group:7", After: 4}, true},
		"member since":   {taskAsker{"user:3", &models.User{}}, journal.Grant{Audience: "group:7", After: 5}, false},
		"of another":     {taskAsker{"user:3", &models.User{}}, journal.Grant{Audience: "group:77"}, false},
		"its creator":    {taskAsker{"key:1", nil}, journal.Grant{}, true},
		"another key":    {taskAsker{"key:2", nil}, journal.Grant{}, false},
		"administrator":  {taskAsker{"user:3", &models.User{Role: models.RoleAdmin}}, journal.Grant{}, true},
		"nobody special": {taskAsker{"user:3", &models.User{Role: models.RoleUser}}, journal.Grant{}, false},
	} {
		if may := c.asker.mayRead(row, []journal.Grant{c.grant}); may != c.may {
			t.Errorf("%s: %v", name, may)
		}
	}
}
