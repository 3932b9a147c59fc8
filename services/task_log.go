package services

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"belfry/models"
	"belfry/services/announce"
	"belfry/services/hub"
)

const (
	// taskPoll is how late a reader may learn that a log grew when every hint is lost.
	taskPoll = 500 * time.Millisecond
	// taskBlocks is how many blocks of a log memory holds for all its readers. Those at its end need one or two.
	taskBlocks = 8
	taskBlock  = models.MaxTaskChunk
)

// taskLogs are the logs that have readers on this node. What a log holds of itself in memory is the same however many there
// are, and each reader is at a place of its own: one that stands still holds nobody up.
type taskLogs struct {
	tasks *Tasks
	mu    sync.Mutex
	by    map[int64]*taskLog
}

func newTaskLogs(t *Tasks) *taskLogs { return &taskLogs{tasks: t, by: map[int64]*taskLog{}} }

// taskLog is a log as this node knows it.
type taskLog struct {
	logs *taskLogs
	id   int64

	// All below belongs to logs.mu.

	readers map[*hub.Conn]struct{}
	row     models.Task
	doubted bool // the row may be another
	gone    bool // there is no such task any more
	blocks  map[int64]*textBlock
	events  map[eventPlace]*sharedEvent
	turn    int64 // counts uses of blocks and events

	reading singleflight.Group
}

// textBlock is a stretch of a log that begins at a multiple of its size. It only ever grows, so what was handed out of it
// stays.
type textBlock struct {
	data []byte
	used int64
}

// join adds a reader to a log, whose row was just read.
func (l *taskLogs) join(row *models.Task, c *hub.Conn) *taskLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.by[row.ID]
	if log == nil {
		log = &taskLog{logs: l, id: row.ID, row: *row, readers: map[*hub.Conn]struct{}{}, blocks: map[int64]*textBlock{}, events: map[eventPlace]*sharedEvent{}}
		l.by[row.ID] = log
	}
	log.take(row)
	log.readers[c] = struct{}{}
	return log
}

// take notes a reading of the row. Readings may come out of order, and a task only goes on.
func (g *taskLog) take(row *models.Task) {
	if row.Bytes > g.row.Bytes || row.Ended() {
		g.row = *row
	}
}

func (g *taskLog) leave(c *hub.Conn) {
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	delete(g.readers, c)
	if len(g.readers) == 0 && g.logs.by[g.id] == g {
		delete(g.logs.by, g.id)
	}
}

// grown tells readers that this node has added to a log.
func (l *taskLogs) grown(id, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if log := l.by[id]; log != nil && end > log.row.Bytes {
		log.row.Bytes = end
		log.nudge()
	}
}

// hinted looks at what another node says of a log.
func (l *taskLogs) hinted(id, end int64) {
	l.mu.Lock()
	known := l.by[id]
	news := known != nil && end > known.row.Bytes
	l.mu.Unlock()
	if news {
		l.doubt(id)
	}
}

// doubt has a log's row read again.
func (l *taskLogs) doubt(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if log := l.by[id]; log != nil {
		log.doubted = true
		log.nudge()
	}
}

func (l *taskLogs) doubtAll() {
	for _, id := range l.ids() {
		l.doubt(id)
	}
}

func (l *taskLogs) ids() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.by))
}

// nudge has the readers look. The hub's locks come after ours.
func (g *taskLog) nudge() {
	for c := range g.readers {
		c.Nudge()
	}
}

// look gives the row. One reader reads it again for all, where it is doubted.
func (g *taskLog) look(ctx context.Context) (row models.Task, gone bool, err error) {
	g.logs.mu.Lock()
	row, gone = g.row, g.gone
	doubted := g.doubted && !gone && !row.Ended()
	g.logs.mu.Unlock()
	if !doubted {
		return row, gone, nil
	}
	_, err, _ = g.reading.Do("row", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
		defer cancel()
		g.logs.mu.Lock()
		g.doubted = false // before the reading: a doubt that comes meanwhile stands
		g.logs.mu.Unlock()
		return nil, g.logs.readRows(ctx, []int64{g.id})
	})
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	if err != nil {
		g.doubted = true
	}
	return g.row, g.gone, err
}

// readRows reads how logs stand, and nudges the readers of those that have moved.
func (l *taskLogs) readRows(ctx context.Context, ids []int64) error {
	for some := range slices.Chunk(ids, nameChunk) {
		var rows []models.Task
		if err := l.tasks.db.Read.WithContext(ctx).Raw("SELECT * FROM tasks WHERE id IN ?", some).Scan(&rows).Error; err != nil {
			return err
		}
		read := make(map[int64]*models.Task, len(rows))
		for i := range rows {
			read[rows[i].ID] = &rows[i]
		}
		l.mu.Lock()
		for _, id := range some {
			if log := l.by[id]; log != nil {
				log.compare(read[id])
			}
		}
		l.mu.Unlock()
	}
	return nil
}

func (g *taskLog) compare(row *models.Task) {
	before := g.row
	if row == nil {
		g.gone = true
	} else {
		g.take(row)
	}
	if g.gone || before.Bytes != g.row.Bytes || before.State != g.row.State {
		g.nudge()
	}
}

// follow makes up for hints that were lost, and takes those that come, until ctx ends.
func (l *taskLogs) follow(ctx context.Context, hints <-chan announce.Growth) {
	poll := time.NewTicker(taskPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case hint := <-hints:
			l.hinted(hint.ID, hint.End)
		case <-poll.C:
			if ids := l.ids(); len(ids) > 0 {
				looking, cancel := context.WithTimeout(ctx, openTimeout)
				// What cannot be read now is read at the next beat; readers wait meanwhile, and ping.
				_ = l.readRows(looking, ids)
				cancel()
			}
		}
	}
}

// text gives what follows a place: at least one byte, where upTo is further, and at most to the end of a block. It must not
// be written to.
func (g *taskLog) text(ctx context.Context, from, upTo int64) ([]byte, error) {
	number := from / taskBlock
	if have := g.within(nil, number, from, upTo); len(have) > 0 || from >= upTo {
		return have, nil
	}
	// The first reading may have begun before the log went so far; the second cannot.
	for range 2 {
		loaded, err, _ := g.reading.Do(strconv.FormatInt(number, 10), func() (any, error) {
			// It is not one reader's alone: who leaves must not end it for the others.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
			defer cancel()
			return g.load(ctx, number)
		})
		if err != nil {
			return nil, err
		}
		block := loaded.(*textBlock) //nolint:forcetypeassert // as load gives it
		if have := g.within(block, number, from, upTo); len(have) > 0 {
			return have, nil
		}
	}
	return nil, fmt.Errorf("services: task %d has no byte %d", g.id, from)
}

// stretch gives all from one place to another.
func (g *taskLog) stretch(ctx context.Context, from, upTo int64) ([]byte, error) {
	text := make([]byte, 0, upTo-from)
	for at := from; at < upTo; at = from + int64(len(text)) {
		more, err := g.text(ctx, at, upTo)
		if err != nil {
			return nil, err
		}
		text = append(text, more...)
	}
	return text, nil
}

// within gives what a block holds behind a place; nil stands for the one in memory.
func (g *taskLog) within(block *textBlock, number, from, upTo int64) []byte {
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	if block == nil {
		block = g.blocks[number]
	}
	at := from - number*taskBlock
	if block == nil || at >= int64(len(block.data)) {
		return nil
	}
	g.turn++
	block.used = g.turn
	end := min(int64(len(block.data)), upTo-number*taskBlock)
	return block.data[at:end:end]
}

// load reads what a block has not got yet, as far as the log is known to go.
func (g *taskLog) load(ctx context.Context, number int64) (*textBlock, error) {
	start := number * taskBlock
	g.logs.mu.Lock()
	block := g.blocks[number]
	if block == nil {
		block = &textBlock{data: make([]byte, 0, taskBlock)}
	}
	from, upTo := start+int64(len(block.data)), min(start+taskBlock, g.row.Bytes)
	g.logs.mu.Unlock()
	read, err := g.logs.tasks.bytesOf(ctx, g.id, from, upTo)
	if err != nil {
		return nil, err
	}
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	block.data = append(block.data, read...)
	g.turn++
	block.used = g.turn
	if g.blocks[number] = block; len(g.blocks) > taskBlocks {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(g.blocks)), func(a, b int64) int { return cmp.Compare(g.blocks[a].used, g.blocks[b].used) })
		delete(g.blocks, oldest)
	}
	return block, nil
}
