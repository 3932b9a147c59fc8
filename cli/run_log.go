package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"belfry/client"
)

const (
	spoolLimit = 8 << 20                // of output that waits for the server
	gather     = 200 * time.Millisecond // how long output is collected, so that not each line is a request
	tryAgain   = 2 * time.Second        // after the client has given up on a server that is away
)

// spool takes output in without ever keeping the command waiting. What does not fit is dropped, and the log says so.
type spool struct {
	mu     sync.Mutex
	text   []byte        // guarded by mu, as all below
	lost   int64         // bytes that were dropped after text
	missed int64         // bytes that were dropped in all
	ended  bool          // nothing is written any more
	news   chan struct{} // has room for one
}

func newSpool() *spool { return &spool{news: make(chan struct{}, 1)} }

// Write never fails, or the command would see a broken pipe.
func (s *spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	room := spoolLimit - len(s.text) // none from the first loss on until all is taken, so nothing stands behind a gap
	taken := min(room, len(p))
	s.text = append(s.text, p[:taken]...)
	s.lost += int64(len(p) - taken)
	s.missed += int64(len(p) - taken)
	s.mu.Unlock()
	s.wake()
	return len(p), nil
}

func (s *spool) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wake()
}

func (s *spool) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// take gives all that waits; over says that nothing more will come.
func (s *spool) take() (text []byte, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, s.text = s.text, nil
	if s.lost > 0 {
		text = fmt.Appendf(text, "\n[%d bytes of output are missing here: the server was away]\n", s.lost)
		s.lost = 0
	}
	return text, s.ended
}

// dropped is how much never reached the log.
func (s *spool) dropped() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missed
}

// taskLog sends a spool to a task until its end.
type taskLog struct {
	server *client.Client
	spool  *spool
	task   int64
	offset int64
}

// insist makes a call again and again while that may help, and ctx lasts.
func insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil || !client.Temporary(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(tryAgain):
		}
	}
}

// follow creates the task and sends what comes until the spool ends. How the task ended comes by outcome.
func (l *taskLog) follow(ctx context.Context, task client.NewTask, outcome func() (state string, code int64)) error {
	err := insist(ctx, func() error {
		made, err := l.server.CreateTask(ctx, task)
		if err == nil {
			l.task = made.ID
		}
		return err
	})
	if err != nil {
		return err
	}
	for over := false; !over; {
		if over, err = l.step(ctx); err != nil {
			return err
		}
	}
	state, code := outcome()
	return insist(ctx, func() error {
		_, err := l.server.FinishTask(ctx, l.task, state, &code)
		return err
	})
}

// step waits for output and sends it.
func (l *taskLog) step(ctx context.Context) (over bool, err error) {
	select {
	case <-l.spool.news:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	text, over := l.spool.take()
	if !over {
		select {
		case <-time.After(gather):
		case <-ctx.Done():
		}
		more, last := l.spool.take()
		text, over = append(text, more...), last
	}
	err = insist(ctx, func() error {
		end, err := l.server.AppendTask(ctx, l.task, l.offset, text)
		text, l.offset = text[end-l.offset:], end
		return err
	})
	return over, err
}
