package cli

import (
	"context"

	"belfry/client"
	"belfry/config"
)

type userCmd struct {
	Add     userAddCmd     `cmd:"" help:"Add a person."`
	List    userListCmd    `cmd:"" help:"List everybody."`
	Import  userImportCmd  `cmd:"" help:"Add and change people by a file."`
	Passwd  userPasswdCmd  `cmd:"" help:"Give a person a new password, which ends their sessions."`
	Disable userDisableCmd `cmd:"" help:"Keep a person out, which ends their sessions."`
	Enable  userEnableCmd  `cmd:"" help:"Let a disabled person in again."`

	Rename userRenameCmd `cmd:"" help:"Give a person another name to sign in with. They stay the same person."`
	Remove userRemoveCmd `cmd:"" help:"Delete a person, their inbox and their sessions."`

	ResetLink userResetLinkCmd `cmd:"" help:"Print a link by which a person sets a new password, once, within an hour."`
}

type userAddCmd struct {
	Name          string `arg:"" placeholder:"NAME" help:"Name to sign in with."`
	Admin         bool   `help:"May manage people, groups and keys."`
	DisplayName   string `placeholder:"S" help:"Name that others see."`
	PasswordStdin bool   `help:"Read the password from standard input."`
}

func (c *userAddCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	password, err := term.newPassword(ctx, c.PasswordStdin)
	if err != nil {
		return err
	}
	u := client.NewUser{Username: c.Name, DisplayName: c.DisplayName, Password: password, Role: client.RoleUser}
	if c.Admin {
		u.Role = client.RoleAdmin
	}
	return withRegistry(ctx, s, func(r registry) error {
		added, err := r.AddUser(ctx, u)
		if err != nil {
			return err
		}
		return term.say("added %s %s", added.Role, added.Username)
	})
}

type userListCmd struct {
	JSON bool `name:"json" help:"Print a JSON array."`
}

func (c userListCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		users, err := r.Users(ctx)
		if err != nil {
			return err
		}
		return list(term, c.JSON, users, "NAME ROLE STATE CREATED DISPLAYED", func(u *client.User) []string {
			return []string{u.Username, u.Role, state(u.Disabled), date(&u.CreatedAt), u.DisplayName}
		})
	})
}

func state(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

type userPasswdCmd struct {
	Name          string `arg:"" placeholder:"NAME" help:"Whose password."`
	PasswordStdin bool   `help:"Read the password from standard input."`
}

func (c *userPasswdCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	password, err := term.newPassword(ctx, c.PasswordStdin)
	if err != nil {
		return err
	}
	return changeUser(ctx, s, term, c.Name, client.UserChange{Password: &password}, "changed the password of")
}

type userDisableCmd struct {
	Name string `arg:"" placeholder:"NAME" help:"Whom to keep out."`
}

func (c *userDisableCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return changeUser(ctx, s, term, c.Name, client.UserChange{Disabled: new(true)}, "disabled")
}

type userEnableCmd struct {
	Name string `arg:"" placeholder:"NAME" help:"Whom to let in."`
}

func (c *userEnableCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return changeUser(ctx, s, term, c.Name, client.UserChange{Disabled: new(false)}, "enabled")
}

type userRenameCmd struct {
	Name string `arg:"" placeholder:"NAME" help:"Who."`
	To   string `arg:"" name:"new" placeholder:"NEW" help:"The new name."`
}

func (c *userRenameCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return changeUser(ctx, s, term, c.Name, client.UserChange{Username: &c.To}, "renamed "+c.Name+" to")
}

type userRemoveCmd struct {
	Name string `arg:"" placeholder:"NAME" help:"Whom to delete."`
}

func (c *userRemoveCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		if err := r.RemoveUser(ctx, c.Name); err != nil {
			return unknown(err, "user %q", c.Name)
		}
		return term.say("removed %s", c.Name)
	})
}

type userResetLinkCmd struct {
	Name string `arg:"" placeholder:"NAME" help:"Whose password."`
}

func (c *userResetLinkCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		link, err := r.ResetLink(ctx, c.Name)
		if err != nil {
			return unknown(err, "user %q", c.Name)
		}
		return term.say("%s", link.URL)
	})
}

func changeUser(ctx context.Context, s *config.Settings, term *console, name string, change client.UserChange, done string) error {
	return withRegistry(ctx, s, func(r registry) error {
		u, err := r.ChangeUser(ctx, name, change)
		if err != nil {
			return unknown(err, "user %q", name)
		}
		return term.say("%s %s", done, u.Username)
	})
}
