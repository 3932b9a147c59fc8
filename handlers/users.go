package handlers

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"belfry/models"
	"belfry/services"
)

type userView struct {
	Username    string         `json:"username"`
	DisplayName string         `json:"display_name"`
	Role        models.Role    `json:"role" enum:"user,admin"`
	Locale      string         `json:"locale"`
	Disabled    bool           `json:"disabled"`
	HasPassword bool           `json:"has_password" doc:"False of who signs in at the provider alone, or has not used a reset link yet"`
	CreatedAt   models.Instant `json:"created_at" format:"date-time"`
}

func viewOfUser(u *models.User) userView {
	return userView{Username: u.Username, DisplayName: u.DisplayName, Role: u.Role, Locale: u.Locale, Disabled: u.DisabledAt != nil, HasPassword: u.PasswordHash != "", CreatedAt: u.CreatedAt}
}

type usersInput struct {
	Q string `query:"q" maxLength:"100" doc:"A part of the user name or of the name shown, in any case"`
	PageInput
}

func (s *Server) listUsers(ctx context.Context, in *usersInput) (*answer[items[userView]], error) {
	users, err := s.Users.Page(ctx, in.Q, in.Before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := itemsOf(users[:min(len(users), in.Limit)], viewOfUser)
	if len(users) > in.Limit {
		list.Next = &users[in.Limit-1].Username
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
	once = concealed(once)
	b := &in.Body
	user, replayed, err := s.Users.AddOnce(ctx, services.NewUser{Username: b.Username, DisplayName: b.DisplayName, Password: b.Password, Role: b.Role}, once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(viewOfUser(user), replayed), nil
}

func (s *Server) getUser(ctx context.Context, in *userPath) (*answer[userView], error) {
	user, err := s.Users.Find(ctx, in.Username)
	if err != nil {
		return nil, err
	}
	return answered(viewOfUser(user)), nil
}

type patchUserInput struct {
	Username string `path:"username"`
	Body     struct {
		Name        *string      `json:"username,omitempty" doc:"The person stays the same one: inbox, sessions, groups, and keys that send to them go with it"`
		DisplayName *string      `json:"display_name,omitempty"`
		Role        *models.Role `json:"role,omitempty" enum:"user,admin"`
		Password    *string      `json:"password,omitempty"`
		Disabled    *bool        `json:"disabled,omitempty"`
	}
}

func (s *Server) patchUser(ctx context.Context, in *patchUserInput) (*answer[userView], error) {
	b := &in.Body
	if b.Password != nil { // it may be the admin's own
		if err := s.requireProof(ctx); err != nil {
			return nil, err
		}
	}
	user, err := s.Users.Update(ctx, in.Username, services.UserChange{Username: b.Name, DisplayName: b.DisplayName, Role: b.Role, Password: b.Password, Disabled: b.Disabled})
	if err != nil {
		return nil, err
	}
	return answered(viewOfUser(user)), nil
}

type putUserInput struct {
	Username string `path:"username"`
	DryRun   bool   `query:"dry_run" doc:"Only tell what would be done"`
	Body     struct {
		DisplayName *string      `json:"display_name,omitempty"`
		Role        *models.Role `json:"role,omitempty" enum:"user,admin"`
		Disabled    *bool        `json:"disabled,omitempty"`
		Groups      []string     `json:"groups,omitempty" maxItems:"100" doc:"To be in; others are left as they are"`
	}
}

type settledView struct {
	Result  string   `json:"result" enum:"added,changed,unchanged"`
	Changes []string `json:"changes" enum:"display_name,role,disabled,groups" doc:"What was not so before"`
	User    userView `json:"user"`
}

type putUserOutput struct {
	Status int
	Body   settledView
}

// answersCreatedToo says of a PUT that it answers 201 like 200, where it made what was not there.
func answersCreatedToo(op *huma.Operation) {
	answer := *op.Responses["200"]
	answer.Description = http.StatusText(http.StatusCreated)
	op.Responses["201"] = &answer
}

func (s *Server) putUser(ctx context.Context, in *putUserInput) (*putUserOutput, error) {
	b := &in.Body
	want := services.WantedUser{Username: in.Username, DisplayName: b.DisplayName, Role: b.Role, Disabled: b.Disabled, Groups: b.Groups}
	settled, err := s.Users.Settle(ctx, want, in.DryRun)
	if err != nil {
		return nil, err
	}
	out := &putUserOutput{Status: http.StatusOK, Body: settledView{Result: settled.Result(), Changes: settled.Changed, User: viewOfUser(&settled.User)}}
	if settled.Changed == nil {
		out.Body.Changes = []string{}
	}
	if settled.Added && !in.DryRun {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (s *Server) deleteUser(ctx context.Context, in *userPath) (*empty, error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Users.Delete(ctx, in.Username)
}
