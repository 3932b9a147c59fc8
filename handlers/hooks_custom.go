package handlers

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

type customInput struct {
	OnceInput
	Body any `doc:"Any JSON; the mapping of the key says how it is read"`
}

var errNoMapping = models.InvalidField("mapping", "This key has no mapping: make one with --mapping.")

// receiveCustom publishes what any system says, as the mapping of its key reads it.
func (s *Server) receiveCustom(ctx context.Context, in *customInput) (*hookOutput, error) {
	key := middleware.PrincipalOf(ctx).Key
	mapping, err := key.Mapping()
	if err != nil {
		return nil, err
	}
	if mapping == nil {
		return nil, errNoMapping
	}
	reading, err := services.ReadingOf(mapping)
	if err != nil {
		return nil, err
	}
	var call any
	decoder := json.NewDecoder(bytes.NewReader(middleware.RawBody(ctx)))
	decoder.UseNumber() // an id may be longer than a float64 holds
	if err := decoder.Decode(&call); err != nil {
		return nil, &models.Error{Code: models.CodeUnreadable, Detail: "The body cannot be read as JSON.", Err: err}
	}
	found := reading.Items(call)
	if len(found) > maxHookItems {
		return nil, errManyItems
	}
	things := make([][]byte, len(found))
	for i := range found {
		if things[i], err = json.Marshal(found[i]); err != nil {
			return nil, err
		}
	}
	names, err := in.onceEach(ctx, "POST /hooks/custom", things, func(i int) string { return reading.Text(services.MappedOnce, found[i]) })
	if err != nil {
		return nil, err
	}
	items := make([]hookItem, len(found))
	for i := range found {
		items[i] = hookItem{content: mapped(reading, found[i], key.Name), once: names[i]}
	}
	return s.publishHook(ctx, items)
}

// mapped is a notice of what a mapping finds. What a sender cannot know it is not refused for: a text that is too long is cut,
// an address that no browser opens is left out.
func mapped(reading *services.Reading, item any, title string) models.NoticeContent {
	text := func(member string) string { return reading.Text(member, item) }
	content := models.NoticeContent{
		Title: shortened(cmp.Or(text(services.MappedTitle), title), models.MaxTitle), Body: cutTo(text(services.MappedBody), models.MaxBody),
		URL: link(text(services.MappedURL)), Severity: reading.Severity(item),
	}
	if category := text(services.MappedCategory); category != "" {
		content.Category = new(shortened(category, models.MaxCategory))
	}
	if key := text(services.MappedCollapseKey); key != "" {
		content.CollapseKey = new(collapseKey(key))
	}
	return content
}
