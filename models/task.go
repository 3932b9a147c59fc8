package models

// TaskState is where a task stands.
type TaskState string

// The states: running until one of the others is stored, which is final.
const (
	TaskRunning   TaskState = "running"
	TaskSucceeded TaskState = "succeeded"
	TaskFailed    TaskState = "failed"
	TaskCanceled  TaskState = "canceled"
)

// Limits of a task: characters for the title, bytes for its log.
const (
	MaxTaskTitle = 200
	MaxTaskLog   = 1 << 30
	// MaxTaskChunk is the longest piece in which a log is stored.
	MaxTaskChunk = 64 << 10
)

// The exit codes there are: a signed one of 32 bits, or an unsigned one, as on Windows.
const (
	MinExitCode = -1 << 31
	MaxExitCode = 1<<32 - 1
)

// Task is something that another system does for some time, with a log. Its ID is the offset of the log's entry that told
// of its beginning.
type Task struct {
	ID        int64 `gorm:"primaryKey;autoIncrement:false"`
	Title     string
	Creator   string // such as "key:7"
	Audiences string // separated by single spaces
	State     TaskState
	ExitCode  *int64
	Bytes     int64   // the end of its log
	CreatedAt Instant `gorm:"autoCreateTime:false"`
	ChangedAt Instant // when the log last grew
	EndedAt   *Instant
}

// Ended reports whether the state is final.
func (t *Task) Ended() bool { return t.State != TaskRunning }

// TaskRecipient is one audience of a task.
type TaskRecipient struct {
	Audience string `gorm:"primaryKey"`
	TaskID   int64  `gorm:"primaryKey;autoIncrement:false"`
}

// TaskChunk is a piece of a task's log.
type TaskChunk struct {
	TaskID     int64 `gorm:"primaryKey;autoIncrement:false"`
	ChunkStart int64 `gorm:"primaryKey;autoIncrement:false"` // its first byte, from the log's start
	Data       []byte
}
