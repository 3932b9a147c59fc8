package handlers

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"belfry/middleware"
	"belfry/services"
)

// QuotaHeaders say what a key with a limit has left (draft-ietf-httpapi-ratelimit-headers-06; later drafts have one field of
// another form, which few senders read). It is exported because huma passes over embedded structs that are not.
type QuotaHeaders struct {
	Limit     string `header:"RateLimit-Limit" doc:"How many notices the key may publish on a node; only of keys with a limit"`
	Remaining string `header:"RateLimit-Remaining" doc:"How many of them are left"`
	Reset     string `header:"RateLimit-Reset" doc:"Seconds until all are there again"`
}

// spend takes notices off the limit of the key that asks; people have none.
func (s *Server) spend(ctx context.Context, n int) (QuotaHeaders, error) {
	key := middleware.PrincipalOf(ctx).Key
	if key == nil {
		return QuotaHeaders{}, nil
	}
	quota, err := s.Keys.Spend(key, n)
	told := headersOf(quota)
	if err != nil {
		header := http.Header{}
		told.each(header.Set)
		err = huma.ErrorWithHeaders(err, header)
	}
	return told, err
}

// unspent lets a key through that has something left. It comes before the body is read: a sender that goes on and on beyond
// its limit costs next to nothing then.
func (s *Server) unspent(ctx huma.Context, next func(huma.Context)) {
	if key := middleware.PrincipalOf(ctx.Context()).Key; key != nil {
		if quota, err := s.Keys.Spent(key); err != nil {
			told := headersOf(quota)
			told.each(ctx.SetHeader)
			middleware.Refuse(humagin.Unwrap(ctx), s.Log, err)
			return
		}
	}
	next(ctx)
}

func headersOf(q services.Quota) QuotaHeaders {
	if q.Limit == 0 {
		return QuotaHeaders{}
	}
	wait := (q.Reset + time.Second - 1) / time.Second // not a moment too early
	return QuotaHeaders{Limit: strconv.Itoa(q.Limit), Remaining: strconv.Itoa(q.Remaining), Reset: strconv.FormatInt(int64(wait), 10)}
}

// each gives the headers there are.
func (h *QuotaHeaders) each(set func(name, value string)) {
	if h.Limit != "" {
		set("RateLimit-Limit", h.Limit)
		set("RateLimit-Remaining", h.Remaining)
		set("RateLimit-Reset", h.Reset)
	}
}
