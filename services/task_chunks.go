package services

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gorm.io/gorm"

	"belfry/models"
)

const (
	// taskMerge is how long a piece of a log may become by adding to it: one that is written by the line would else be a row a
	// line. More would write each byte of it too often.
	taskMerge = 4 << 10
	// taskChunkBatch is how many pieces one statement writes.
	taskChunkBatch = 16
	// taskTextStep is how much of a log is read at once.
	taskTextStep = 256 << 10
)

var errTaskTooLong = models.Errorf(models.CodeTooLarge, "A task's log holds at most %d MiB.", models.MaxTaskLog>>20)

// Append adds to a task's log at its end, and returns the new end when it is durable. An offset that is not the end is a
// conflict that names it: what was sent before may have arrived though its answer did not.
func (t *Tasks) Append(ctx context.Context, p *Principal, id, offset int64, data []byte, once Repeatable) (end int64, replayed bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), taskTimeout)
	defer cancel()
	// One more than the end, for 0 stands for a request that made nothing.
	made, replayed, err := t.db.createOnce(ctx, once, func(tx *gorm.DB) (int64, error) {
		end, err := t.append(tx, p, id, offset, data)
		return end + 1, err
	})
	if err != nil {
		return 0, false, err
	}
	if end = made - 1; !replayed && len(data) > 0 {
		t.appended.Add(int64(len(data)))
		t.logs.grown(id, end)
		t.teller.Grew(id, end)
	}
	return end, replayed, nil
}

func (t *Tasks) append(tx *gorm.DB, p *Principal, id, offset int64, data []byte) (end int64, err error) {
	if offset <= models.MaxTaskLog && offset > models.MaxTaskLog-int64(len(data)) { // further on no log ends
		return 0, errTaskTooLong
	}
	grown := tx.Exec("UPDATE tasks SET bytes = bytes + ?, changed_at = "+t.db.now()+" WHERE id = ? AND bytes = ? AND state = ? AND (creator = ? OR ?)",
		len(data), id, offset, models.TaskRunning, p.Actor(), p.IsAdmin())
	if grown.Error != nil {
		return 0, grown.Error
	}
	if grown.RowsAffected == 0 {
		row, err := t.writable(tx, p, id)
		if err != nil {
			return 0, err
		}
		refusal := &models.Error{Code: models.CodeConflict, Detail: "The log's end is another.", End: &row.Bytes}
		if row.Ended() {
			refusal.Detail = errTaskEnded.Detail
		}
		return 0, refusal
	}
	return offset + int64(len(data)), t.store(tx, id, offset, data)
}

// store writes the pieces. The task's row is locked, so nobody else writes to this log meanwhile.
func (t *Tasks) store(tx *gorm.DB, id, offset int64, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	var last []models.TaskChunk
	err := tx.Raw("SELECT task_id, chunk_start FROM task_chunks WHERE task_id = ? ORDER BY chunk_start DESC LIMIT 1", id).Scan(&last).Error
	if err != nil {
		return err
	}
	if len(last) > 0 && offset-last[0].ChunkStart+int64(len(data)) <= taskMerge {
		if err := tx.Take(&last[0]).Error; err != nil {
			return err
		}
		return tx.Exec("UPDATE task_chunks SET data = ? WHERE task_id = ? AND chunk_start = ?", append(last[0].Data, data...), id, last[0].ChunkStart).Error
	}
	var chunks []models.TaskChunk
	for piece := range slices.Chunk(data, models.MaxTaskChunk) {
		chunks = append(chunks, models.TaskChunk{TaskID: id, ChunkStart: offset, Data: piece})
		offset += int64(len(piece))
	}
	return tx.CreateInBatches(chunks, taskChunkBatch).Error
}

// bytesOf reads the log from one place to another; less, where it ends before.
func (t *Tasks) bytesOf(ctx context.Context, id, from, upTo int64) ([]byte, error) {
	if from >= upTo {
		return nil, nil
	}
	var chunks []models.TaskChunk
	err := t.db.Read.WithContext(ctx).Raw("SELECT chunk_start, data FROM task_chunks WHERE task_id = @id AND chunk_start < @to AND chunk_start >="+
		" (SELECT max(chunk_start) FROM task_chunks WHERE task_id = @id AND chunk_start <= @from) ORDER BY chunk_start",
		map[string]any{"id": id, "from": from, "to": upTo}).Scan(&chunks).Error
	if err != nil {
		return nil, err
	}
	text := make([]byte, 0, upTo-from)
	for _, c := range chunks {
		at := from + int64(len(text))
		end := c.ChunkStart + int64(len(c.Data))
		if c.ChunkStart > at {
			return nil, fmt.Errorf("services: task %d has no byte %d", id, at)
		}
		if end > at {
			text = append(text, c.Data[at-c.ChunkStart:min(end, upTo)-c.ChunkStart]...)
		}
	}
	return text, nil
}

// TaskStretch names a stretch of a task's log.
type TaskStretch struct {
	Task  int64
	From  int64
	Limit int64 // how many bytes at most; 0 = to the end of the log
}

// TaskText is a stretch of a log that can be read step by step.
type TaskText struct {
	Task       TaskView // as it was when the stretch was begun; its log may be longer since
	From, UpTo int64

	tasks *Tasks
	at    int64
}

// Text begins to read a stretch of a task's log, as far as it goes now.
func (t *Tasks) Text(ctx context.Context, p *Principal, o TaskStretch) (*TaskText, error) {
	row, err := t.read(ctx, askerOf(p), o.Task)
	if err != nil {
		return nil, err
	}
	from, upTo := min(o.From, row.Bytes), row.Bytes
	if o.Limit > 0 && o.Limit < upTo-from {
		upTo = from + o.Limit
	}
	return &TaskText{Task: viewOfTask(row), From: from, UpTo: upTo, tasks: t, at: from}, nil
}

// Next gives the next piece; none at the end.
func (x *TaskText) Next(ctx context.Context) ([]byte, error) {
	upTo := min(x.at+taskTextStep, x.UpTo)
	piece, err := x.tasks.bytesOf(ctx, x.Task.ID, x.at, upTo)
	if err == nil && int64(len(piece)) < upTo-x.at {
		err = fmt.Errorf("services: task %d ends at %d, not at %d", x.Task.ID, x.at+int64(len(piece)), upTo)
	}
	x.at += int64(len(piece))
	return piece, err
}

// taskTrimBatch is how many pieces of logs one transaction deletes: on SQLite every publish waits for it.
const taskTrimBatch = 100

// Trim deletes the tasks that ended, or last grew, before as long as the log is kept.
func (t *Tasks) Trim(ctx context.Context, keepMS int64) error {
	old := "COALESCE(ended_at, changed_at) < " + t.db.now() + " - ?"
	// Ids rise as tasks begin, and none is due before it began: those from the first that is too young on are not looked through.
	oldest := "SELECT id FROM tasks WHERE id < COALESCE((SELECT id FROM tasks WHERE created_at >= " + t.db.moment() + " - ? ORDER BY id LIMIT 1), ?) AND " +
		old + " ORDER BY id LIMIT 1"
	for ctx.Err() == nil {
		var due []int64
		if err := t.db.Read.WithContext(ctx).Raw(oldest, keepMS, int64(math.MaxInt64), keepMS).Scan(&due).Error; err != nil || len(due) == 0 {
			return err
		}
		if err := t.remove(ctx, due[0], old, keepMS); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// remove deletes a task that is still due. It is ended and hidden first, so that nobody adds to a log that is being deleted;
// then go its pieces, in small steps. That it is due is asked of its own row: as one among all that are due, each step would look
// through all tasks while every publish waits.
func (t *Tasks) remove(ctx context.Context, id int64, old string, keepMS int64) error {
	db := t.db.Write.WithContext(ctx)
	err := db.Transaction(func(tx *gorm.DB) error {
		hidden := tx.Exec("UPDATE tasks SET creator = '', ended_at = COALESCE(ended_at, changed_at), state = CASE state WHEN 'running' THEN 'canceled' ELSE state END"+
			" WHERE id = ? AND "+old, id, keepMS)
		if hidden.Error != nil || hidden.RowsAffected == 0 {
			return hidden.Error
		}
		return tx.Exec("DELETE FROM task_recipients WHERE task_id = ?", id).Error
	})
	for err == nil {
		gone := db.Exec("DELETE FROM task_chunks WHERE task_id = ? AND EXISTS (SELECT 1 FROM tasks WHERE id = ? AND "+old+") AND chunk_start IN"+
			" (SELECT chunk_start FROM task_chunks WHERE task_id = ? ORDER BY chunk_start LIMIT ?)", id, id, keepMS, id, taskTrimBatch)
		if err = gone.Error; err == nil && gone.RowsAffected == 0 {
			t.logs.doubt(id)
			return db.Exec("DELETE FROM tasks WHERE id = ? AND "+old, id, keepMS).Error
		}
	}
	return err
}
