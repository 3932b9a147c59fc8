package handlers

import (
	"context"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// maxHookItems bounds what one call of another system may publish.
const maxHookItems = 100

// HookAnswer says what became of each thing that a call told of.
type HookAnswer struct {
	Notices []HookNotice  `json:"notices" doc:"Those that were published, in their order"`
	Refused []HookRefusal `json:"refused" doc:"Those that were not, while others were; where none was, the call is refused as the first of them"`
}

// HookNotice is one that was published.
type HookNotice struct {
	Index int `json:"index" doc:"Which of the call's it is, from 0"`
	PublishedView
}

// HookRefusal is one that was not.
type HookRefusal struct {
	Index   int                 `json:"index" doc:"Which of the call's it is, from 0"`
	Problem *middleware.Problem `json:"problem"`
}

type hookOutput struct {
	QuotaHeaders
	Replayed string `header:"Idempotency-Replayed"`
	Body     HookAnswer
}

// hookItem is one thing that a call tells of: a notice, or what is wrong with it.
type hookItem struct {
	content models.NoticeContent
	preset  string // its category, where neither it nor the key has one
	once    services.Repeatable
	err     error
}

var (
	errKeyTarget = models.InvalidField("to", "This key has no recipients: make one with --to, --group or --everyone.")
	errManyItems = models.Errorf(models.CodeTooLarge, "At most %d at once.", maxHookItems)
)

// publishHook publishes what a call tells of to whom the key names. What is wrong with one keeps no other back: a sender
// that is refused gives up on the whole call. Where nothing is kept it is refused all the same, or nobody would notice.
func (s *Server) publishHook(ctx context.Context, items []hookItem) (*hookOutput, error) {
	out := &hookOutput{Body: HookAnswer{Notices: []HookNotice{}, Refused: []HookRefusal{}}}
	if len(items) == 0 {
		return out, nil
	}
	p := middleware.PrincipalOf(ctx)
	to, err := p.Key.Target()
	if err == nil && to.Empty() {
		err = errKeyTarget
	}
	if err != nil {
		return nil, err
	}
	if out.QuotaHeaders, err = s.spend(ctx, len(items)); err != nil {
		return nil, err
	}
	var batch []services.Outgoing
	var positions []int // of the batch's notices among the items
	for i := range items {
		if items[i].content.Category == nil && p.Key.Category == "" && items[i].preset != "" {
			items[i].content.Category = &items[i].preset
		}
		if items[i].err == nil {
			batch, positions = append(batch, services.Outgoing{To: to, Content: items[i].content, Once: items[i].once}), append(positions, i)
		}
	}
	published, refused, err := s.Notices.PublishAll(ctx, p, batch)
	if err != nil {
		return nil, err
	}
	replayed := true
	for k, at := range positions {
		if items[at].err = refused[k]; refused[k] == nil {
			out.Body.Notices = append(out.Body.Notices, HookNotice{at, viewOfPublished(&published[k])})
			replayed = replayed && published[k].Replayed
		}
	}
	for i := range items {
		switch err := items[i].err; {
		case err == nil:
		case len(out.Body.Notices) == 0:
			return nil, err
		default:
			out.Body.Refused = append(out.Body.Refused, HookRefusal{i, middleware.ProblemOf(ctx, s.Log, err)})
		}
	}
	out.Replayed = replayHeader(replayed)
	return out, nil
}

// hookNames keeps apart what hooks name requests by from what senders put into a header.
const hookNames = " hook"

// onceEach names the things of a call, so that none is published twice however often the call is made: by their place under
// the call's own Idempotency-Key, else by what own says of each. Where that is nothing, a call made again publishes again.
func (in *OnceInput) onceEach(ctx context.Context, route string, things [][]byte, own func(i int) string) ([]services.Repeatable, error) {
	whole, err := in.repeatable(ctx, route)
	if err != nil {
		return nil, err
	}
	names := make([]services.Repeatable, len(things))
	for i, raw := range things {
		if names[i] = ofLine(whole, i); whole.Key != "" {
			continue
		}
		if names[i], err = repeatable(ctx, own(i), "idempotency_key", route, raw); err != nil {
			return nil, err
		}
		names[i].Principal += hookNames
	}
	return names, nil
}
