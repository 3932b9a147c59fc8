package cli

import (
	"context"
	"strings"

	"belfry/config"
)

type groupCmd struct {
	Add    groupAddCmd    `cmd:"" help:"Make an empty group."`
	List   groupListCmd   `cmd:"" help:"List the groups and their members."`
	Remove groupRemoveCmd `cmd:"" help:"Delete a group, not its members."`
	Join   groupJoinCmd   `cmd:"" help:"Put people into a group."`
	Leave  groupLeaveCmd  `cmd:"" help:"Take people out of a group."`
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

type groupListCmd struct{}

func (groupListCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		groups, err := r.Groups(ctx)
		if err != nil {
			return err
		}
		rows := make([][]string, len(groups))
		for i, g := range groups {
			rows[i] = []string{g.Name, date(&g.CreatedAt), strings.Join(g.Members, ","), g.DisplayName}
		}
		return term.table("NAME CREATED MEMBERS DISPLAYED", rows)
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
