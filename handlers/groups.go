package handlers

import (
	"context"

	"belfry/models"
	"belfry/services"
)

type groupView struct {
	Name        string         `json:"name"`
	DisplayName string         `json:"display_name"`
	Members     []string       `json:"members"`
	Disabled    bool           `json:"disabled" doc:"It takes no new notices; its members keep what they have"`
	CreatedAt   models.Instant `json:"created_at" format:"date-time"`
}

func viewOfGroup(g *services.GroupView) groupView {
	return groupView{Name: g.Name, DisplayName: g.DisplayName, Members: g.Members, Disabled: g.DisabledAt != nil, CreatedAt: g.CreatedAt}
}

// listGroups gives all groups at once: they are few, and whoever lists them wants them all.
func (s *Server) listGroups(ctx context.Context, _ *empty) (*answer[items[groupView]], error) {
	groups, err := s.Groups.List(ctx)
	return respond(itemsOf(groups, viewOfGroup), err)
}

type addGroupInput struct {
	OnceInput
	Body struct {
		Name        string `json:"name"`
		DisplayName string `json:"display_name,omitempty"`
	}
}

func (s *Server) addGroup(ctx context.Context, in *addGroupInput) (*created[groupView], error) {
	once, err := in.repeatable(ctx, "POST /groups")
	if err != nil {
		return nil, err
	}
	group, replayed, err := s.Groups.AddOnce(ctx, in.Body.Name, in.Body.DisplayName, once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(viewOfGroup(&services.GroupView{Group: *group, Members: []string{}}), replayed), nil
}

type groupPath struct {
	Name string `path:"name"`
}

func (s *Server) getGroup(ctx context.Context, in *groupPath) (*answer[groupView], error) {
	group, err := s.Groups.Find(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return answered(viewOfGroup(group)), nil
}

type patchGroupInput struct {
	Name string `path:"name"`
	Body struct {
		Name        *string `json:"name,omitempty" doc:"The group stays the same one: members, notices, what waits for its time, and keys that send to it go with it"`
		DisplayName *string `json:"display_name,omitempty"`
		Disabled    *bool   `json:"disabled,omitempty"`
	}
}

func (s *Server) patchGroup(ctx context.Context, in *patchGroupInput) (*answer[groupView], error) {
	b := &in.Body
	group, err := s.Groups.Update(ctx, in.Name, services.GroupChange{Name: b.Name, DisplayName: b.DisplayName, Disabled: b.Disabled})
	if err != nil {
		return nil, err
	}
	return answered(viewOfGroup(group)), nil
}

func (s *Server) deleteGroup(ctx context.Context, in *groupPath) (*empty, error) {
	return nil, s.Groups.Remove(ctx, in.Name)
}

type memberPath struct {
	Name     string `path:"name"`
	Username string `path:"username"`
}

func (s *Server) joinGroup(ctx context.Context, in *memberPath) (*answer[groupView], error) {
	if _, err := s.Users.Find(ctx, in.Username); err != nil {
		return nil, err
	}
	if err := s.Groups.Join(ctx, in.Name, in.Username); err != nil {
		return nil, err
	}
	return s.getGroup(ctx, &groupPath{Name: in.Name})
}

func (s *Server) leaveGroup(ctx context.Context, in *memberPath) (*empty, error) {
	if _, err := s.Users.Find(ctx, in.Username); err != nil {
		return nil, err
	}
	return nil, s.Groups.Leave(ctx, in.Name, in.Username)
}
