package services

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"belfry/models"
	"belfry/services/hub"
)

// taskEvents is how many events of a log memory holds for all its readers. Those at its end are at the same few.
const taskEvents = 16

// eventPlace is where an event begins, and its form. What stands there never changes, so an event that was put together once
// is good for whoever comes to the place, though the log goes further by now.
type eventPlace struct {
	from int64
	json bool
}

type sharedEvent struct {
	frame *hub.Frame
	upTo  int64
	used  int64
}

// frame gives the event that follows a place, as next does. Of many who read the same one puts it together: that costs more
// than all else that a reader does. It is the same for all who know the log as long as that; for one that knows it longer there
// may be an event where there is none for the others.
func (r *taskReader) frame(ctx context.Context, row *models.Task, pos int64) (*hub.Frame, int64, error) {
	place := eventPlace{pos, r.json}
	if pos < row.Bytes {
		if known := r.log.event(place); known != nil {
			return known.frame, known.upTo, nil
		}
	}
	name := fmt.Sprint("event ", place, row.Bytes, row.State)
	made, err, _ := r.log.reading.Do(name, func() (any, error) {
		// Who leaves must not end it for the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
		defer cancel()
		if pos < row.Bytes { // another may have been done with it since
			if known := r.log.event(place); known != nil {
				return known, nil
			}
		}
		return r.make(ctx, row, place)
	})
	event, _ := made.(*sharedEvent)
	if err != nil || event == nil {
		return nil, pos, err
	}
	return event.frame, event.upTo, nil
}

// make puts an event together; none where there is nothing yet.
func (r *taskReader) make(ctx context.Context, row *models.Task, place eventPlace) (*sharedEvent, error) {
	text, upTo, err := r.next(ctx, row, place.from)
	if err != nil || text == nil {
		return nil, err
	}
	frame := hub.NewFrame(text)
	frame.Class = ClassTask
	frame.Offset = place.from + 1 // so that it is taken back to where it begins when the session is locked before it was written
	event := &sharedEvent{frame: frame, upTo: upTo}
	if place.from < row.Bytes {
		r.log.keep(place, event)
	}
	return event, nil
}

func (g *taskLog) event(place eventPlace) *sharedEvent {
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	known := g.events[place]
	if known != nil {
		g.turn++
		known.used = g.turn
	}
	return known
}

// keep holds an event for the other readers, where there are any.
func (g *taskLog) keep(place eventPlace, event *sharedEvent) {
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	if len(g.readers) < 2 {
		clear(g.events)
		return
	}
	g.turn++
	event.used = g.turn
	g.events[place] = event
	if len(g.events) > taskEvents {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(g.events)), func(a, b eventPlace) int { return cmp.Compare(g.events[a].used, g.events[b].used) })
		delete(g.events, oldest)
	}
}
