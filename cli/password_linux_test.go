package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/term"
)

// openTerminal gives both ends of a new terminal: what a person types into, and what a command has as
// its standard input.
func openTerminal(t *testing.T) (person, command *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	var number, unlocked uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	command, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Close() })
	return person, command
}

// echoes reports whether the terminal shows what is typed.
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	var state syscall.Termios
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&state))); errno != 0 {
		t.Fatal(errno)
	}
	return state.Lflag&syscall.ECHO != 0
}

// waitFor polls what only the kernel knows.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// prompts tells each time that the command has asked for something.
type prompts chan string

func (p prompts) Write(text []byte) (int, error) {
	p <- string(text)
	return len(text), nil
}

func (p prompts) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-p:
		if got != want {
			t.Fatalf("said %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("said nothing, want %q", want)
	}
}

func TestPasswordAtATerminal(t *testing.T) {
	for _, tt := range []struct {
		first, again, want string
	}{
		{"correct horse", "correct horse", ""},
		{"correct horse", "correct hose", "not the same"},
	} {
		person, command := openTerminal(t)
		asked := make(prompts, 10)
		type answer struct {
			password string
			err      error
		}
		done := make(chan answer, 1)
		go func() {
			password, err := (&console{in: command, err: asked}).newPassword(t.Context(), false)
			done <- answer{password, err}
		}()
		asked.expect(t, "Password: ")
		waitFor(t, "the echo to go", func() bool { return !echoes(t, command) })
		fmt.Fprintln(person, tt.first)
		asked.expect(t, "\n")
		asked.expect(t, "Again: ")
		waitFor(t, "the echo to go", func() bool { return !echoes(t, command) })
		fmt.Fprintln(person, tt.again)
		got := <-done
		if tt.want == "" && (got.err != nil || got.password != tt.first) {
			t.Errorf("%q, %v", got.password, got.err)
		}
		if tt.want != "" && (got.err == nil || !strings.Contains(got.err.Error(), tt.want)) {
			t.Errorf("%q, %v", got.password, got.err)
		}
		if !echoes(t, command) {
			t.Error("the terminal stays blind")
		}
		// What the terminal has shown so far ends with a mark of ours; nothing typed may stand before it.
		fmt.Fprintln(command, "MARK")
		var shown bytes.Buffer
		for lines := bufio.NewScanner(person); lines.Scan() && !strings.Contains(lines.Text(), "MARK"); {
			shown.Write(lines.Bytes())
		}
		if strings.Contains(shown.String(), "correct") {
			t.Errorf("the password was shown: %q", shown.String())
		}
	}
}

func TestInterruptedPromptGivesTheEchoBack(t *testing.T) {
	_, command := openTerminal(t)
	if !term.IsTerminal(int(command.Fd())) {
		t.Fatal("not a terminal")
	}
	ctx, interrupt := context.WithCancel(t.Context())
	asked := make(prompts, 10)
	done := make(chan error, 1)
	go func() {
		_, err := (&console{in: command, err: asked}).newPassword(ctx, false)
		done <- err
	}()
	asked.expect(t, "Password: ")
	waitFor(t, "the echo to go", func() bool { return !echoes(t, command) })
	interrupt()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("%v", err)
	}
	if !echoes(t, command) {
		t.Error("the terminal stays blind")
	}
}
