package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// maxPasswordInput bounds what is read from standard input, should it be the wrong file.
const maxPasswordInput = 64 << 10

// newPassword reads a password: all of standard input less one line end, or typed twice at a terminal.
func (c *console) newPassword(ctx context.Context, fromStdin bool) (string, error) {
	if fromStdin {
		return c.readPassword()
	}
	terminal, ok := c.terminal()
	if !ok {
		return "", usageError("there is no terminal to ask for the password: use --password-stdin")
	}
	first, err := c.prompt(ctx, terminal, "Password: ")
	if err != nil {
		return "", err
	}
	again, err := c.prompt(ctx, terminal, "Again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the two passwords are not the same")
	}
	return first, nil
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func (c *console) readPassword() (string, error) {
	text, err := io.ReadAll(io.LimitReader(c.in, maxPasswordInput+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxPasswordInput {
		return "", usageError("standard input is too long for a password")
	}
	password, cut := strings.CutSuffix(string(text), "\n")
	if cut {
		password = strings.TrimSuffix(password, "\r")
	}
	// Neither could ever be typed into the sign-in page, whose requests are checked the same.
	if !utf8.ValidString(password) || strings.Contains(password, "\x00") {
		return "", usageError("the password is not UTF-8 text")
	}
	return password, nil
}

// prompt reads one line without showing it. A signal ends the wait and gives the terminal its echo back,
// which a process that just dies would not.
func (c *console) prompt(ctx context.Context, terminal *os.File, label string) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprint(c.err, label)
	defer fmt.Fprintln(c.err)
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return string(l.text), l.err
	case <-ctx.Done():
		// The reader stays in its system call; the process is about to end.
		return "", errors.Join(errors.New("interrupted"), term.Restore(fd, before))
	}
}
