package cli

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/client"
)

// program is one that runs, and whose lines a test waits for.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	input io.WriteCloser
	lines chan string // closed at its end
	said  strings.Builder
}

func begin(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: cmd, input: input, lines: make(chan string, 1000)}
	cmd.Stderr = &p.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a shell that is killed alone leaves what it began
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *program) kill() {
	_ = p.input.Close()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// await is the next line that begins so.
func (p *program) await(prefix string) string {
	p.t.Helper()
	tooLate := time.After(time.Minute) // only a failing test waits that long
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				p.kill()
				p.t.Fatalf("it ended before %q:\n%s", prefix, &p.said)
			}
			if strings.HasPrefix(line, prefix) {
				return line
			}
		case <-tooLate:
			p.t.Fatalf("no %q", prefix)
		}
	}
}

func (p *program) enter(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.input, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (w workshop) publish(t *testing.T, to, title string) *client.Published {
	t.Helper()
	sent, err := w.client.Publish(t.Context(), client.Notice{To: client.To{Users: []string{to}}, Title: title})
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func (w workshop) withdraw(t *testing.T, id int64) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, w.address+"/api/v1/notices/"+strconv.FormatInt(id, 10), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.key())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _ = answer.Body.Close(); answer.StatusCode != http.StatusNoContent {
		t.Fatalf("withdraw: %d", answer.StatusCode)
	}
}

// TestListening runs what docs/integrate.md shows of listening.
func TestListening(t *testing.T) {
	w := newWorkshop(t)
	t.Run("curl", func(t *testing.T) {
		t.Parallel()
		listenByCurl(t, w)
	})
	t.Run("python3", func(t *testing.T) {
		t.Parallel()
		at := moody(t, w.address, true)
		run := func() *program { return begin(t, w.command(t, at.URL, "python3", w.dir, "python3", "listen_test.py")) }
		p := run()
		p.await("at ")
		w.publish(t, "warehouse", "one")
		p.exactly("one")
		at.CloseClientConnections()
		w.publish(t, "warehouse", "two")
		p.exactly("two")
		p.await("at ")
		p.kill()
		w.publish(t, "warehouse", "three")
		p = run()
		w.publish(t, "warehouse", "four")
		p.exactly("three")
		p.exactly("four")
	})
	t.Run("java", func(t *testing.T) {
		t.Parallel()
		at := moody(t, w.address, true)
		p := begin(t, w.command(t, at.URL, "javac", w.dir, "sh", "-ec", "javac -d out Main.java && exec java -Xshare:auto -cp out Main listen"))
		p.await("at ")
		w.publish(t, "bob", "five")
		p.exactly("five")
		at.CloseClientConnections()
		w.publish(t, "bob", "six")
		p.exactly("six")
	})
}

// exactly wants this line next; those that say a place do not count.
func (p *program) exactly(want string) {
	p.t.Helper()
	for {
		if line := p.await(""); !strings.HasPrefix(line, "at ") {
			if line != want {
				p.t.Fatalf("%q, want %q", line, want)
			}
			return
		}
	}
}

// listenByCurl sees the usual kinds of stream in a terminal: a periodic one, one that another request makes to speak, one that
// is narrowed to some events, and one that grows word by word and ends.
func listenByCurl(t *testing.T, w workshop) {
	sh := func(args ...string) *program {
		return begin(t, w.command(t, moody(t, w.address, false).URL, "curl", w.dir, append([]string{"bash", "-e"}, args...)...))
	}
	clock := sh("clock.sh")
	clock.await("data: ")

	listening := sh("listen.sh")
	listening.await("event: hello")
	sent := w.publish(t, "anna", "by another request")
	if got := listening.await("event: "); got != "event: notice" {
		t.Fatalf("%q", got)
	}
	w.withdraw(t, sent.ID) // a notice_state, which was not asked for
	words := begin(t, w.command(t, w.address, "python3", w.dir, "python3", "-c", "import sys, words; words.tell('anna', 'A text', (line.strip() for line in sys.stdin))"))
	if got := listening.await("event: "); got != "event: task" {
		t.Fatalf("%q", got)
	}
	var task struct{ ID int64 }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(listening.await("data: "), "data: ")), &task); err != nil {
		t.Fatal(err)
	}

	text := sh("follow.sh", strconv.FormatInt(task.ID, 10))
	var got strings.Builder
	for _, word := range []string{"The", "quick", "brown", "fox"} {
		words.enter(word)
		var piece struct{ Text string }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(text.await("data: {"), "data: ")), &piece); err != nil {
			t.Fatal(err)
		}
		got.WriteString(piece.Text)
	}
	_ = words.input.Close()
	text.await("event: done")
	if line := text.await("data: ["); line != "data: [DONE]" || got.String() != "The quick brown fox " {
		t.Errorf("%q, then %q", got.String(), line)
	}
	for range text.lines { // the server hangs up
	}
	if err := text.cmd.Wait(); err != nil {
		t.Errorf("curl: %v", err)
	}
	clock.await("data: ")
}
