package services

import (
	"context"
	"strconv"

	"belfry/services/hub"
	"belfry/services/journal"
)

// replayEntries is how many entries one step of a replay reads from the log.
const replayEntries = 500

// replay takes one step from the connection's position towards the head: from memory where that reaches back so far,
// else from the log.
func (st *Stream) replay(ctx context.Context) error {
	s := st.streams
	if s.hub.Replay(st.conn, s.journal.Trimmed()) {
		return nil
	}
	// In this order: a group that is joined up to upTo is among the grants. The other way round its
	// entries would be passed over.
	upTo := s.hub.Offset()
	pos, grants := st.conn.Position()
	read, err := s.stretch(ctx, pos, upTo, grants)
	if err != nil {
		return err
	}
	if pos < read.head.Trimmed {
		at := journal.Position{Epoch: read.head.Epoch, Offset: read.head.Offset}
		if st.conn.Restart(resetFrame("trimmed", at.String()), at.Offset) {
			s.reset(st.user, "trimmed")
		}
		return nil
	}
	st.conn.Advance(read.frames, read.upTo)
	return nil
}

// stretch is a part of the log as those see it who may read the same.
type stretch struct {
	frames []*hub.Frame
	upTo   int64        // everything up to here is among the frames
	head   journal.Head // read after them
}

// stretch reads the log behind a position. Those who wait for the same share one reading: after a restart all tabs of a
// person come back at once, with one position. The grants name the person, so they hold up to the reading's upTo for each.
func (s *Streams) stretch(ctx context.Context, pos, upTo int64, grants []journal.Grant) (*stretch, error) {
	key := strconv.AppendInt(nil, pos, 10)
	for _, g := range grants {
		key = strconv.AppendInt(append(append(append(key, ' '), g.Audience...), ' '), g.After, 10)
	}
	read, err, _ := s.stretches.Do(string(key), func() (any, error) {
		// It is not one reader's alone: who leaves must not end it for the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
		defer cancel()
		return s.read(ctx, pos, upTo, grants)
	})
	if err != nil {
		return nil, err
	}
	return read.(*stretch), nil //nolint:forcetypeassert // as read gives it
}

func (s *Streams) read(ctx context.Context, pos, upTo int64, grants []journal.Grant) (*stretch, error) {
	entries, upTo, err := s.journal.Range(ctx, pos, upTo, grants, replayEntries)
	if err != nil {
		return nil, err
	}
	// After the reading: what was trimmed before it is missing there, and that has to be said.
	head, err := s.journal.Head(ctx)
	if err == nil && head.Epoch != s.journal.Epoch() {
		err = errNewEpoch // what was read may be of another log than what this node hands on
	}
	if err != nil {
		return nil, err
	}
	result := &stretch{upTo: upTo, head: head}
	for i := range entries {
		if f := s.frame(&entries[i]); f != nil {
			result.frames = append(result.frames, f)
		}
	}
	return result, nil
}
