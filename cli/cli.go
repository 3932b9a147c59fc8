// Package cli holds the commands of the binary, one file each.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"slices"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"belfry/config"
	"belfry/services"
	"belfry/services/hashing"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the settings are wrong; trying again will not help
)

const description = `Notifications in real time, and a lock for the page when the session runs out.

A setting is a flag of every command, else BELFRY_… in the environment, else it has a default; belfry serve --help lists them.

Exit: 0 done, 1 failed, 2 usage or settings; run ends with the code of its command.`

type commands struct {
	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to the newest schema, or look where it stands."`
	User    userCmd    `cmd:"" help:"People who can sign in."`
	Group   groupCmd   `cmd:"" help:"Groups of people to whom a notice can be addressed."`
	Key     keyCmd     `cmd:"" help:"API keys of other systems."`
	Epoch   epochCmd   `cmd:"" help:"The log after a restore."`
	Secret  secretCmd  `cmd:"" help:"The key that signs tokens, where the server keeps it itself."`
	Send    sendCmd    `cmd:"" help:"Send a notice."`
	Run     runCmd     `cmd:"" help:"Run a command and keep its output as a task's log."`
	Tail    tailCmd    `cmd:"" help:"Print what comes for a person."`
	Doctor  doctorCmd  `cmd:"" help:"See what proxies do to streams on the way from a URL to here."`
	Version versionCmd `cmd:"" help:"Print the version."`

	Completion completionCmd `cmd:"" help:"Print a script by which a shell completes commands and flags."`
}

// console is where a command talks to the person or the script that started it. What a script would
// read goes to out, everything else to err.
type console struct {
	in       io.Reader
	out, err io.Writer
	self     string // this program's file; empty where it is not to be started once more
}

// usageError is a mistake in how a command was called.
type usageError string

func (e usageError) Error() string { return string(e) }

// Run runs one command and gives the exit code: 0 done, 1 failed, 2 usage or settings. self is the program's file, by which
// the server starts it once more to hash passwords; without it hashes them itself. args come without the name of the program,
// environ as in [os.Environ].
func Run(ctx context.Context, self string, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if slices.Equal(args, []string{hashing.Argument}) {
		return hashPasswords(stdin, stdout, stderr)
	}
	var (
		cmds  commands
		term  = &console{in: stdin, out: stdout, err: stderr, self: self}
		flags = newSettingFlags()
		ended = -1 // what kong would exit with after it has printed a help
	)
	parser, err := kong.New(&cmds,
		kong.Name("belfry"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { ended = code }),
		kong.Embed(flags.fields()),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Help(printHelp),
		kong.BindTo(services.WithActor(ctx, services.Actor{Type: services.ActorCommand, Name: operator()}), (*context.Context)(nil)),
		kong.Vars{"scopes": scopeList()},
		kong.Bind(term),
		kong.BindSingletonProvider(func() (*config.Settings, error) { return config.Load(flags.given(), environ) }),
	)
	if err != nil {
		panic("cli: the commands contradict each other: " + err.Error()) // a mistake of ours, found by any test
	}
	for _, arg := range args {
		if !utf8.ValidString(arg) {
			return term.fail(usageError("the command line is not UTF-8 text"))
		}
	}
	if len(args) > 0 && args[0] == completing {
		complete(term, parser.Model.Node, args[1:])
		return exitDone
	}
	parsed, err := parser.Parse(args)
	if ended >= 0 {
		return ended
	}
	if err != nil {
		return term.fail(usageError(err.Error() + " (belfry --help)"))
	}
	if err := parsed.Run(); err != nil {
		if code, ok := errors.AsType[exitCode](err); ok {
			return int(code)
		}
		return term.fail(err)
	}
	return exitDone
}

// operator is who runs the command, as the machine knows them.
func operator() string {
	who, err := user.Current()
	if err != nil {
		return ""
	}
	return who.Username
}

// fail says what went wrong and picks the exit code.
func (c *console) fail(err error) int {
	fmt.Fprintln(c.err, "belfry:", describe(err))
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[config.Faults](err); ok {
		return exitUsage
	}
	return exitFailed
}
