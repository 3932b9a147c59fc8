package handlers

import (
	"context"
	"fmt"
	"strings"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

func (s *Server) listSent(ctx context.Context, in *PageInput) (*answer[items[services.SentNotice]], error) {
	before, err := beforeID(in.Before)
	if err != nil {
		return nil, err
	}
	page, next, err := s.Notices.Sent(ctx, middleware.PrincipalOf(ctx), before, in.Limit)
	return respond(pageOf(page, next), err)
}

func (s *Server) withdrawNotice(ctx context.Context, in *idPath) (*empty, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.Notices.Withdraw(ctx, middleware.PrincipalOf(ctx), id)
}

type receiptsInput struct {
	ID string `path:"id"`
	PageInput
}

func (s *Server) listReceipts(ctx context.Context, in *receiptsInput) (*answer[items[services.Receipt]], error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	var after *services.ReceiptsAfter
	if in.Before != "" {
		if after, err = receiptsAfter(in.Before); err != nil {
			return nil, err
		}
	}
	page, next, err := s.Notices.Receipts(ctx, middleware.PrincipalOf(ctx), id, after, in.Limit)
	if err != nil {
		return nil, err
	}
	list := items[services.Receipt]{Items: page}
	if next != nil {
		list.Next = new(fmt.Sprintf("%d-%d", next.At, next.User))
	}
	return answered(list), nil
}

// receiptsAfter reads "MS-USER", as listReceipts writes it.
func receiptsAfter(text string) (*services.ReceiptsAfter, error) {
	at, user, _ := strings.Cut(text, "-")
	ms, err := pathID(at)
	if err != nil {
		return nil, errBefore
	}
	id, err := pathID(user)
	if err != nil {
		return nil, errBefore
	}
	return &services.ReceiptsAfter{At: models.Instant(ms), User: id}, nil
}
