package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"belfry/client"
)

// pretend stands in for a Belfry, so that the examples can be run.
func pretend(answers map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sse/stream" {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		_, _ = io.WriteString(w, answers[r.URL.Path])
	}))
}

func ExampleClient_Publish() {
	belfry := pretend(map[string]string{"/api/v1/notices": `{"id": 12, "cursor": "e1-40"}`})
	defer belfry.Close()

	c, err := client.New(belfry.URL, "bfk_…")
	if err != nil {
		log.Fatal(err)
	}
	sent, err := c.Publish(context.Background(), client.Notice{
		To:    client.To{Users: []string{"anna"}, Groups: []string{"operations"}},
		Title: "Disk at 91 %", Severity: "warning", URL: "/hosts/db-1",
		CollapseKey: "disk-db-1", // the next of this key takes its place
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sent", sent.ID)
	// Output: sent 12
}

func ExampleSession_Tail() {
	belfry := pretend(map[string]string{
		"/api/v1/stream-tickets": `{"token": "t"}`,
		"/sse/stream": "id: e1-40\nevent: hello\ndata: {}\n\nid: e1-41\nevent: notice\ndata: {\"title\": \"Disk at 91 %\"}\n\n" +
			"event: lock\ndata: {\"state\": \"ended\"}\n\n",
	})
	defer belfry.Close()
	login := belfry.Config.Handler
	belfry.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "belfry", Value: "s"})
		login.ServeHTTP(w, r)
	})

	ctx := context.Background()
	session, err := client.SignIn(ctx, belfry.URL, client.Credentials{Username: "anna", Password: "…"})
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range session.Tail(ctx, client.TailOptions{}) {
		switch {
		case errors.Is(err, client.ErrSessionEnded):
			fmt.Println("signed out")
		case err != nil:
			log.Fatal(err)
		case event.Name == client.EventNotice:
			var notice client.ReceivedNotice
			if err := json.Unmarshal(event.Data, &notice); err != nil {
				log.Fatal(err)
			}
			fmt.Println(notice.Title)
		}
	}
	// Output:
	// Disk at 91 %
	// signed out
}

func ExampleClient_AppendTask() {
	belfry := pretend(map[string]string{
		"/api/v1/tasks": `{"id": 7, "state": "running"}`, "/api/v1/tasks/7/log": `{"end": 15}`, "/api/v1/tasks/7/finish": `{"id": 7, "state": "succeeded"}`,
	})
	defer belfry.Close()

	ctx := context.Background()
	c, err := client.New(belfry.URL, "bfk_…")
	if err != nil {
		log.Fatal(err)
	}
	task, err := c.CreateTask(ctx, client.NewTask{Title: "Nightly backup", To: client.To{Groups: []string{"operations"}}})
	if err != nil {
		log.Fatal(err)
	}
	end, err := c.AppendTask(ctx, task.ID, 0, []byte("10 files saved\n"))
	if err != nil {
		log.Fatal(err)
	}
	code := int64(0)
	task, err = c.FinishTask(ctx, task.ID, client.TaskSucceeded, &code)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(task.State, "with", end, "bytes")
	// Output: succeeded with 15 bytes
}
