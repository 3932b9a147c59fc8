package crowd

import (
	"net/http"
	"os"
	"testing"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

func TestMain(m *testing.M) {
	code := testpg.Run(m, nil)
	server.Remove()
	os.Exit(code)
}

// A log that was written beforehand is one that the node itself could have written: everybody finds theirs in it, and
// the next notice follows it.
func TestLogWrittenBeforehand(t *testing.T) {
	t.Parallel()
	for _, sqlite := range []bool{true, false} {
		const rows, people = 1200, 50
		s := Start(t, Shape{SQLite: sqlite, People: people, Log: true, Rows: rows})
		reader := (&server.Caller{Cookie: "belfry=" + s.Cookies[0]}).At(s.Node)
		want := newestEach*3 + rows/1000 + rows/100 // its own, everyone's and the group's; of the old ones everyone's and the group's
		for n := 1; n <= rows; n++ {
			if n*7919%people == 0 && n%1000 != 0 && n%100 != 1 {
				want++
			}
		}
		var page struct {
			Items []struct {
				ID    int64
				Title string
			}
			Next   *string `json:"next_before"`
			Unread int
		}
		found, before := 0, ""
		for {
			reader.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notices?limit=200"+before, nil, &page)
			found += len(page.Items)
			if page.Next == nil {
				break
			}
			before = "&before=" + *page.Next
		}
		if found != want || page.Unread != 3*unreadCycles || page.Items[0].Title == "" {
			t.Errorf("SQLite %v: %d notices, %d unread; want %d and %d", sqlite, found, page.Unread, want, 3*unreadCycles)
		}
		s.Node.ByKey(s.Key).Publish(t, map[string]any{"to": map[string]any{"users": []string{Person(0)}}, "title": "one more"})
		reader.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notices?limit=1", nil, &page)
		if id := page.Items[0].ID; id != rows+newest+1 || page.Unread != 3*unreadCycles+1 {
			t.Errorf("the next notice is %d, with %d unread", id, page.Unread)
		}
	}
}
