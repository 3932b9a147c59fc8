package cli

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"belfry/client"
)

// TestRunKeepsItsOutput on a real server: the log is what the command wrote, its people hear of it, and it has ended.
func TestRunKeepsItsOutput(t *testing.T) {
	s, url := office(t)
	watch := s.begin("", "tail", "--user", "anna", "--json", "--event", "task", "--event", "notice")
	watch.await(`"event":"hello"`)
	r := s.run("", "run", "--task", "Deploy 12", "--to", "anna", "--", "sh", "-c", `printf 'one\r\ntwo 一\377\n'; exit 3`)
	if r.code != 3 || r.err != "" {
		t.Fatalf("exit %d, %s", r.code, r.err)
	}
	watch.await(`"state":"running"`)
	watch.await(`"state":"failed"`)
	c, err := client.New(url, s.key())
	if err != nil {
		t.Fatal(err)
	}
	browser, status := signIn(t, url, "anna", "battery staple")
	if status != http.StatusOK {
		t.Fatalf("sign-in: %d", status)
	}
	resp, err := browser.Get(url + "/api/v1/tasks")
	if err != nil {
		t.Fatal(err)
	}
	list, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(list), `"title":"Deploy 12","state":"failed","exit_code":3,"bytes":`) {
		t.Fatalf("%s, %v", list, err)
	}
	_, rest, _ := strings.Cut(string(list), `"id":`)
	id, _, _ := strings.Cut(rest, ",")
	resp, err = browser.Get(url + "/api/v1/tasks/" + id + "/log")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || string(text) != r.out || resp.Header.Get("Task-State") != "failed" {
		t.Errorf("%q, want %q, %v, %v", text, r.out, resp.Header, err)
	}
	made, err := c.CreateTask(t.Context(), client.NewTask{Title: "By hand"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AppendTask(t.Context(), made.ID, 0, []byte("hello ")); err != nil {
		t.Fatal(err)
	}
	if end, err := c.AppendTask(t.Context(), made.ID, 0, []byte("hello world")); err != nil || end != 11 { // what is there is not written twice
		t.Errorf("%d, %v", end, err)
	}
	for range 2 { // the second finds it ended in the same way
		if ended, err := c.FinishTask(t.Context(), made.ID, client.TaskSucceeded, nil); err != nil || ended.Bytes != 11 || ended.EndedAt == nil {
			t.Errorf("%+v, %v", ended, err)
		}
	}
}
