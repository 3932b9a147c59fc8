package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

func pointer[T any](v T) *T { return &v }

func TestCheckContent(t *testing.T) {
	t.Parallel()
	past, soon := models.InstantOf(time.Now().Add(-time.Second)), models.InstantOf(time.Now().Add(time.Hour))
	text := func(n int) string { return strings.Repeat("é", n) }
	for _, c := range []struct {
		name   string
		change func(c *models.NoticeContent, to *Target)
		want   []string
	}{
		{"least", func(*models.NoticeContent, *Target) {}, nil},
		{"to nobody", func(_ *models.NoticeContent, to *Target) { *to = Target{} }, []string{"to"}},
		{"to everyone", func(_ *models.NoticeContent, to *Target) { *to = Target{Everyone: true} }, nil},
		{"to too many", func(_ *models.NoticeContent, to *Target) { to.Groups = make([]string, models.MaxRecipients) }, []string{"to"}},
		{"no title", func(c *models.NoticeContent, _ *Target) { c.Title = "" }, []string{"title"}},
		{"the longest title", func(c *models.NoticeContent, _ *Target) { c.Title = text(200) }, nil},
		{"too long a title", func(c *models.NoticeContent, _ *Target) { c.Title = text(201) }, []string{"title"}},
		{"the longest body", func(c *models.NoticeContent, _ *Target) { c.Body = text(8 << 10) }, nil},
		{"too long a body", func(c *models.NoticeContent, _ *Target) { c.Body = text(8<<10) + "x" }, []string{"body"}},
		{"markdown", func(c *models.NoticeContent, _ *Target) { c.Format = "markdown" }, nil},
		{"another format", func(c *models.NoticeContent, _ *Target) { c.Format = "html" }, []string{"format"}},
		{"critical", func(c *models.NoticeContent, _ *Target) { c.Severity = "critical" }, nil},
		{"another severity", func(c *models.NoticeContent, _ *Target) { c.Severity = "Critical" }, []string{"severity"}},
		{"an empty category", func(c *models.NoticeContent, _ *Target) { c.Category = pointer("") }, []string{"category"}},
		{"the longest category", func(c *models.NoticeContent, _ *Target) { c.Category = pointer(text(64)) }, nil},
		{"too long a category", func(c *models.NoticeContent, _ *Target) { c.Category = pointer(text(65)) }, []string{"category"}},
		{"too long a collapse key", func(c *models.NoticeContent, _ *Target) { c.CollapseKey = pointer(text(129)) }, []string{"collapse_key"}},
		{"data", func(c *models.NoticeContent, _ *Target) { c.Data = json.RawMessage("{\n \"a\": [1] }") }, nil},
		{"data of nothing", func(c *models.NoticeContent, _ *Target) { c.Data = json.RawMessage("null") }, nil},
		{"data that is a list", func(c *models.NoticeContent, _ *Target) { c.Data = json.RawMessage("[1]") }, []string{"data"}},
		{"data that is a word", func(c *models.NoticeContent, _ *Target) { c.Data = json.RawMessage(`"x"`) }, []string{"data"}},
		{"data that is none", func(c *models.NoticeContent, _ *Target) { c.Data = json.RawMessage("{") }, []string{"data"}},
		{"the most data", func(c *models.NoticeContent, _ *Target) {
			c.Data = json.RawMessage(`{"a":"` + strings.Repeat("x", 16<<10-8) + `"}`)
		}, nil},
		{"too much data", func(c *models.NoticeContent, _ *Target) {
			c.Data = json.RawMessage(`{"a":"` + strings.Repeat("x", 16<<10-7) + `"}`)
		}, []string{"data"}},
		{"an action", func(c *models.NoticeContent, _ *Target) { c.Actions = []models.Action{{Label: "Go", URL: "/x"}} }, nil},
		{"too many actions", func(c *models.NoticeContent, _ *Target) {
			c.Actions = slices.Repeat([]models.Action{{Label: "Go", URL: "/x"}}, 5)
		}, []string{"actions"}},
		{"bad actions", func(c *models.NoticeContent, _ *Target) {
			c.Actions = []models.Action{{Label: "", URL: "/x"}, {Label: text(41), URL: "javascript:x"}}
		}, []string{"actions[0].label", "actions[1].label", "actions[1].url"}},
		{"an end to come", func(c *models.NoticeContent, _ *Target) { c.ExpiresAt = &soon }, nil},
		{"an end that has passed", func(c *models.NoticeContent, _ *Target) { c.ExpiresAt = &past }, []string{"expires_at"}},
		{"everything at once", func(c *models.NoticeContent, to *Target) {
			*to = Target{}
			c.Title, c.Format, c.Severity, c.URL = "", "x", "x", pointer("ftp://host/")
		}, []string{"to", "title", "format", "severity", "url"}},
	} {
		content, to := titled("title"), Target{Users: []string{"ann"}}
		c.change(&content, &to)
		err := CheckContent(&content, to)
		switch e, _ := errors.AsType[*models.Error](err); {
		case len(c.want) == 0 && (err != nil || content.Format == "" || content.Severity == "" || content.Data == nil || content.Actions == nil):
			t.Errorf("%s: %v, completed to %+v", c.name, err, content)
		case len(c.want) > 0 && (e == nil || !slices.Equal(fields(*e), c.want)):
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestValidLink(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]bool{
		"/": true, "/inbox?x=1#y": true, "https://host.example/a b": false, "https://host.example/a%20b": true, "http://127.0.0.1:8080": true, "HTTPS://HOST": true,
		"https://user@host/": true, "/a:b": true, "/日本": true, "/" + strings.Repeat("a", 2047): true,
		"": false, "inbox": false, "./inbox": false, "?x": false, "#x": false, "//host/": false, `/\host`: false, `\\host`: false, "/\t/host": false, "/\n/host": false,
		"javascript:alert(1)": false, "JavaScript:alert(1)": false, " javascript:alert(1)": false, "java\tscript:alert(1)": false, "javascript://host/%0aalert(1)": false,
		"data:text/html,x": false, "vbscript:x": false, "file:///etc/passwd": false, "ftp://host/": false, "blob:https://host/x": false, "mailto:a@b": false,
		"https:": false, "https:/host": false, "https:///path": false, "http:host": false, "://host": false, "https://[": false, "https://host\x00/": false, "/\x7f": false,
		`https:\\host`: false, `https://host\@other/`: false, "/" + strings.Repeat("a", 2048): false,
	} {
		if got := ValidLink(link); got != want {
			t.Errorf("%q: %v", link, got)
		}
	}
}

func TestPublish(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		content := models.NoticeContent{Title: "日本 <b> \" \u2028 \U0001f514", Body: "a\r\nb\x01\t", Format: "markdown", URL: pointer("/x?a=1&b=2"),
			Actions: []models.Action{{Label: "Open", URL: "https://host.example/"}}, Severity: "warning", Category: pointer("builds"),
			Data: json.RawMessage(`{"n": 12345678901234567890, "s": "<&>"}`), CollapseKey: pointer("k"), ExpiresAt: pointer(models.InstantOf(time.Now().Add(time.Hour)))}
		done := n.publish(t, &Principal{Live: l}, Target{Users: []string{"ANN", "ann"}}, content)
		if done.Replayed || done.ID == 0 || done.Cursor != n.journal.Position(done.ID).String() {
			t.Errorf("%+v", done)
		}
		view := got(n.notices.Get(t.Context(), ann, done.ID))(t)
		if view.Title != content.Title || view.Body != content.Body || view.Format != content.Format || *view.URL != *content.URL || !slices.Equal(view.Actions, content.Actions) ||
			view.Severity != content.Severity || *view.Category != "builds" || *view.CollapseKey != "k" || *view.ExpiresAt != *content.ExpiresAt ||
			view.Sender != (models.Sender{Type: "user", Name: "ann"}) || view.Cursor != done.Cursor || view.ReadAt != nil || view.CreatedAt == 0 {
			t.Errorf("%+v", view)
		}
		var data struct {
			N json.Number
			S string
		}
		must(t, json.Unmarshal(view.Data, &data))
		if data.N != "12345678901234567890" || data.S != "<&>" {
			t.Errorf("%s", view.Data)
		}
		byKey := n.publish(t, n.system(t), Target{Users: []string{"ann"}}, titled("x"))
		if view := got(n.notices.Get(t.Context(), ann, byKey.ID))(t); view.Sender != (models.Sender{Type: "key", Name: "system"}) || string(view.Data) != "null" || view.Format != "text" {
			t.Errorf("%+v", view)
		}
	})
}

func TestWhoMayWriteToWhom(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		var names []string
		for i := range models.MaxUserTargets + 1 {
			names = append(names, n.person(t, fmt.Sprint("user", i)).Username)
		}
		got(n.groups.Add(t.Context(), "team", ""))(t)
		l, _ := n.signIn(t, "user0")
		boss := *l
		boss.User.Role = models.RoleAdmin
		plain, admin, system := &Principal{Live: l}, &Principal{Live: &boss}, n.system(t)
		publish := func(p *Principal, to Target) error {
			_, err := n.notices.Publish(t.Context(), p, Outgoing{To: to, Content: titled("x")})
			return err
		}
		must(t, publish(plain, Target{Users: names[:models.MaxUserTargets]}))
		refused(t, "eleven", publish(plain, Target{Users: names}), models.CodeForbidden)
		refused(t, "a group", publish(plain, Target{Groups: []string{"team"}}), models.CodeForbidden)
		refused(t, "everyone", publish(plain, Target{Everyone: true}), models.CodeForbidden)
		for _, p := range []*Principal{admin, system} {
			must(t, publish(p, Target{Users: names, Groups: []string{"TEAM"}, Everyone: true}))
		}
		e := refused(t, "nobody", publish(plain, Target{Users: []string{"user1", "nobody"}}), models.CodeInvalid)
		if !slices.Equal(fields(e), []string{"to.users"}) || !strings.Contains(e.Fields[0].Detail, "nobody") {
			t.Errorf("%+v", e)
		}
		if e := refused(t, "no group", publish(system, Target{Groups: []string{"none"}}), models.CodeInvalid); !slices.Equal(fields(e), []string{"to.groups"}) {
			t.Errorf("%+v", e)
		}
		if head := n.number(t, "SELECT head FROM log_head"); head != 3 {
			t.Errorf("%d entries, want those of the 3 that were let through", head)
		}
	})
}

func TestPublishOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		system, to := n.system(t), Target{Users: []string{"ann"}}
		once := Repeatable{Principal: system.Actor(), Key: "k", Digest: "d"}
		ids := make([]int64, 8)
		atOnce(len(ids), func(i int) {
			done, err := n.notices.Publish(t.Context(), system, Outgoing{To: to, Content: titled("x"), Once: once})
			if err != nil {
				t.Error(err)
			}
			ids[i] = done.ID
		})
		slices.Sort(ids)
		if ids[0] == 0 || ids[0] != ids[len(ids)-1] || n.number(t, "SELECT count(*) FROM entries") != 1 {
			t.Errorf("%v", ids)
		}
		once.Digest = "other"
		_, err := n.notices.Publish(t.Context(), system, Outgoing{To: to, Content: titled("y"), Once: once})
		refused(t, "another request", err, models.CodeIdempotencyMismatch)
		// A refusal is not kept: the key is still free.
		once.Key = "free"
		_, err = n.notices.Publish(t.Context(), system, Outgoing{To: to, Content: titled(""), Once: once})
		refused(t, "wrong", err, models.CodeInvalid)
		if done := got(n.notices.Publish(t.Context(), system, Outgoing{To: to, Content: titled("x"), Once: once}))(t); done.Replayed {
			t.Errorf("%+v", done)
		}
	})
}

// TestAnotherRequestIsNoRepeat, where it could make nothing any more either: it is not told of what the first has made.
func TestAnotherRequestIsNoRepeat(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		system := n.system(t)
		once := Repeatable{Principal: system.Actor(), Key: "k", Digest: "d"}
		publish := func() (Published, error) {
			return n.notices.Publish(t.Context(), system, Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("x"), Once: once})
		}
		made := got(publish())(t)
		must(t, n.users.Delete(t.Context(), "ann"))
		if again := got(publish())(t); again.ID != made.ID || !again.Replayed {
			t.Errorf("the same again: %+v", again)
		}
		once.Digest = "other"
		_, err := publish()
		refused(t, "another, to who is gone", err, models.CodeInvalid)
		once.Digest = "d"
		n.run(t, "UPDATE idempotency_keys SET created_at = created_at - ?", journal.OnceWindow.Milliseconds())
		_, err = publish()
		refused(t, "the same, when the key is forgotten", err, models.CodeInvalid)
	})
}

// TestOnceIsForgotten: after its time a key is free for another request.
func TestOnceIsForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		once := func(digest string) Repeatable { return Repeatable{Principal: "key:1", Key: "k", Digest: digest} }
		_, _, err := n.groups.AddOnce(t.Context(), "first", "", once("d"))
		must(t, err)
		n.run(t, "UPDATE idempotency_keys SET created_at = created_at - ?", (journal.OnceWindow - time.Minute).Milliseconds())
		_, _, err = n.groups.AddOnce(t.Context(), "second", "", once("e"))
		refused(t, "within a day", err, models.CodeIdempotencyMismatch)
		refused(t, "within a day, by a batch", n.notices.Repeats(t.Context(), once("e"), []string{"k"}), models.CodeIdempotencyMismatch)
		n.run(t, "UPDATE idempotency_keys SET created_at = created_at - ?", time.Minute.Milliseconds())
		must(t, n.notices.Repeats(t.Context(), once("e"), []string{"k"}))
		if _, replayed, err := n.groups.AddOnce(t.Context(), "second", "", once("e")); err != nil || replayed {
			t.Errorf("after a day: %v, %v", replayed, err)
		}
	})
}
