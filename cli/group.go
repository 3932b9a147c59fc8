package cli

import (
	"context"
	"strings"

	"belfry/client"
	"belfry/config"
)

type groupCmd struct {
	Add     groupAddCmd     `cmd:"" help:"Make an empty group."`
	List    groupListCmd    `cmd:"" help:"List the groups and their members."`
	Rename  groupRenameCmd  `cmd:"" help:"Give a group another name. It stays the same one."`
	Disable groupDisableCmd `cmd:"" help:"Let a group take no new notices."`
	Enable  groupEnableCmd  `cmd:"" help:"Let a disabled group take notices again."`
	Remove  groupRemoveCmd  `cmd:"" help:"Delete a group, not its members."`
	Join    groupJoinCmd    `cmd:"" help:"Put people into a group."`
	Leave   groupLeaveCmd   `cmd:"" help:"Take people out of a group."`
}

type groupAddCmd struct {
	Name        string `arg:"" placeholder:"NAME" help:"Name of the group."`
	DisplayName string `placeholder:"S" help:"Name that people see."`
}

func (c *groupAddCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		g, err := r.AddGroup(ctx, c.Name, c.DisplayName)
		if err != nil {
			return err
		}
		return term.say("added group %s", g.Name)
	})
}

type groupListCmd struct {
	JSON bool `name:"json" help:"Print a JSON array."`
}

func (c groupListCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		groups, err := r.Groups(ctx)
		if err != nil {
			return err
		}
		return list(term, c.JSON, groups, "NAME STATE CREATED MEMBERS DISPLAYED", func(g *client.Group) []string {
			return []string{g.Name, state(g.Disabled), date(&g.CreatedAt), strings.Join(g.Members, ","), g.DisplayName}
		})
	})
}

type groupRenameCmd struct {
	Group       string `arg:"" placeholder:"GROUP" help:"Which group."`
	Name        string `arg:"" placeholder:"NAME" help:"Its new name."`
	DisplayName string `placeholder:"S" help:"Name that people see."`
}

func (c *groupRenameCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	change := client.GroupChange{Name: &c.Name}
	if c.DisplayName != "" {
		change.DisplayName = &c.DisplayName
	}
	return changeGroup(ctx, s, term, c.Group, change, "renamed "+c.Group+" to")
}

type groupDisableCmd struct {
	Group string `arg:"" placeholder:"GROUP" help:"Which group."`
}

func (c *groupDisableCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return changeGroup(ctx, s, term, c.Group, client.GroupChange{Disabled: new(true)}, "disabled")
}

type groupEnableCmd struct {
	Group string `arg:"" placeholder:"GROUP" help:"Which group."`
}

func (c *groupEnableCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return changeGroup(ctx, s, term, c.Group, client.GroupChange{Disabled: new(false)}, "enabled")
}

func changeGroup(ctx context.Context, s *config.Settings, term *console, name string, change client.GroupChange, done string) error {
	return withRegistry(ctx, s, func(r registry) error {
		g, err := r.ChangeGroup(ctx, name, change)
		if err != nil {
			return unknown(err, "group %q", name)
		}
		return term.say("%s %s", done, g.Name)
	})
}

type groupRemoveCmd struct {
	Name string `arg:"" placeholder:"NAME" help:"Which group."`
}

func (c *groupRemoveCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		if err := r.RemoveGroup(ctx, c.Name); err != nil {
			return unknown(err, "group %q", c.Name)
		}
		return term.say("removed group %s", c.Name)
	})
}

type groupJoinCmd struct {
	Group string   `arg:"" placeholder:"GROUP" help:"Which group."`
	Names []string `arg:"" name:"name" placeholder:"NAME" help:"Who."`
}

func (c *groupJoinCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		if err := r.JoinGroup(ctx, c.Group, c.Names...); err != nil {
			return unknown(err, "group %q, or no user of that name", c.Group)
		}
		return term.say("%s joined group %s", strings.Join(c.Names, ", "), c.Group)
	})
}

type groupLeaveCmd struct {
	Group string   `arg:"" placeholder:"GROUP" help:"Which group."`
	Names []string `arg:"" name:"name" placeholder:"NAME" help:"Who."`
}

func (c *groupLeaveCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		if err := r.LeaveGroup(ctx, c.Group, c.Names...); err != nil {
			return unknown(err, "group %q, or no user of that name", c.Group)
		}
		return term.say("%s left group %s", strings.Join(c.Names, ", "), c.Group)
	})
}
