package handlers

import (
	"context"

	"belfry/models"
	"belfry/services"
)

type userView struct {
	Username    string         `json:"username"`
	DisplayName string         `json:"display_name"`
	Role        models.Role    `json:"role" enum:"user,admin"`
	Locale      string         `json:"locale"`
	Disabled    bool           `json:"disabled"`
	CreatedAt   models.Instant `json:"created_at" format:"date-time"`
}

func viewOf(u *models.User) userView {
	return userView{Username: u.Username, DisplayName: u.DisplayName, Role: u.Role, Locale: u.Locale, Disabled: u.DisabledAt != nil, CreatedAt: u.CreatedAt}
}

type pageInput struct {
	Before string `query:"before" maxLength:"64" doc:"next_before of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *Server) listUsers(ctx context.Context, in *pageInput) (*answer[items[userView]], error) {
	users, err := s.Users.Page(ctx, in.Before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := items[userView]{Items: []userView{}}
	if len(users) > in.Limit {
		users = users[:in.Limit]
		list.Next = &users[in.Limit-1].Username
	}
	for i := range users {
		list.Items = append(list.Items, viewOf(&users[i]))
	}
	return answered(list), nil
}

type addUserInput struct {
	OnceInput
	Body struct {
		Username    string      `json:"username"`
		DisplayName string      `json:"display_name,omitempty"`
		Password    string      `json:"password"`
		Role        models.Role `json:"role,omitempty" enum:"user,admin" default:"user"`
	}
}

func (s *Server) addUser(ctx context.Context, in *addUserInput) (*created[userView], error) {
	once, err := in.repeatable(ctx, "POST /users")
	if err != nil {
		return nil, err
	}
	b := &in.Body
	user, replayed, err := s.Users.AddOnce(ctx, services.NewUser{Username: b.Username, DisplayName: b.DisplayName, Password: b.Password, Role: b.Role}, once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(viewOf(user), replayed), nil
}

func (s *Server) getUser(ctx context.Context, in *userPath) (*answer[userView], error) {
	user, err := s.Users.Find(ctx, in.Username)
	if err != nil {
		return nil, err
	}
	return answered(viewOf(user)), nil
}

type patchUserInput struct {
	Username string `path:"username"`
	Body     struct {
		DisplayName *string      `json:"display_name,omitempty"`
		Role        *models.Role `json:"role,omitempty" enum:"user,admin"`
		Password    *string      `json:"password,omitempty"`
		Disabled    *bool        `json:"disabled,omitempty"`
	}
}

func (s *Server) patchUser(ctx context.Context, in *patchUserInput) (*answer[userView], error) {
	b := &in.Body
	user, err := s.Users.Update(ctx, in.Username, services.UserChange{DisplayName: b.DisplayName, Role: b.Role, Password: b.Password, Disabled: b.Disabled})
	if err != nil {
		return nil, err
	}
	return answered(viewOf(user)), nil
}

func (s *Server) deleteUser(ctx context.Context, in *userPath) (*empty, error) {
	return nil, s.Users.Delete(ctx, in.Username)
}
