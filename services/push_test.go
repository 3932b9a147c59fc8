package services

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"belfry/models"
)

// TestPush: a browser is told of each notice once, encrypted for it, with what a push service has to know.
//
// Security: S46
func TestPush(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		n.person(t, "bob")
		got(n.groups.Add(t.Context(), "night", "Night"))(t)
		sender := n.system(t)
		pushing(t, p)
		n.publish(t, sender, Target{Users: []string{"anna"}}, titled("before"))
		anna, _ := n.subscribed(t, p, s, "anna")
		bob, live := n.subscribed(t, p, s, "bob")
		must(t, n.groups.Join(t.Context(), "night", "bob"))

		link, expires := "/disks/1", models.InstantOf(time.Now().Add(time.Hour))
		id := n.publish(t, sender, Target{Users: []string{"anna"}}, models.NoticeContent{Title: "Disk <full>", Body: "\n 91 % 磁盘  \nmore", Severity: "critical", URL: &link, ExpiresAt: &expires}).ID
		m := s.titled(t, "Disk <full>")
		if m.browser != anna || m.message.ID != id || m.message.Body != "91 % 磁盘" || m.message.Severity != "critical" || *m.message.URL != link || m.message.Unread != 2 {
			t.Errorf("%s", m.text)
		}
		if m.urgency != "high" || m.ttl > 3600 || m.ttl < 3600-60 || m.topic != fmt.Sprintf("notice-%d", id) {
			t.Errorf("urgency %s, TTL %d, topic %s", m.urgency, m.ttl, m.topic)
		}
		// Who is reached by several ways is told once.
		key := "disk"
		n.publish(t, sender, Target{Users: []string{"bob"}, Groups: []string{"night"}, Everyone: true}, models.NoticeContent{Title: "all", CollapseKey: &key})
		first, second := s.titled(t, "all"), s.titled(t, "all")
		if first.browser == second.browser || first.topic != second.topic || len(first.topic) != 32 || first.urgency != "normal" || first.ttl < 24*3600-60 || first.ttl > 24*3600 {
			t.Errorf("%+v, %+v", first, second)
		}
		n.publish(t, sender, Target{Groups: []string{"night"}}, titled("for the group"))
		if m := s.titled(t, "for the group"); m.browser != bob {
			t.Error("somebody else got it")
		}
		// The same browser, and another person who signs in there.
		carl := n.person(t, "carl")
		l, _ := n.signIn(t, "carl")
		must(t, p.subscribe(t, l, bob.subscription()))
		n.publish(t, sender, Target{Users: []string{"bob"}}, titled("not any more"))
		n.publish(t, sender, Target{Users: []string{"carl"}}, titled("for carl"))
		if m := s.titled(t, "for carl"); m.browser != bob {
			t.Error("another browser got it")
		}
		must(t, p.Unsubscribe(t.Context(), live.UserID, bob.subscription().Endpoint)) // it is not bob's any more
		n.publish(t, sender, Target{Users: []string{"carl"}}, titled("still"))
		s.titled(t, "still")
		must(t, p.Unsubscribe(t.Context(), carl.ID, bob.subscription().Endpoint))
		n.publish(t, sender, Target{Users: []string{"carl"}}, titled("over"))
		n.quiet(t, p, s, "carl has unsubscribed")
	})
}

// TestPushAndTheLock: while the session is locked a push says that something waits, and once it has ended there is none.
//
// Security: S46
func TestPushAndTheLock(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		sender, anna := n.system(t), Target{Users: []string{"anna"}}
		_, live := n.subscribed(t, p, s, "anna")
		pushing(t, p)
		got(n.sessions.Lock(t.Context(), live, live.ID))(t)
		n.publish(t, sender, anna, critical("secret"))
		if m := s.next(t); m.text != `{"type":"waiting"}` || m.topic != "waiting" || m.urgency != "high" {
			t.Errorf("while locked: %s, topic %s", m.text, m.topic)
		}
		// A session that is idle for too long is locked, whether somebody has noticed or not.
		other, idle := n.subscribed(t, p, s, "anna")
		n.idle(t, idle.ID, testLimits.Idle)
		n.publish(t, sender, anna, titled("secret too"))
		for range 2 {
			if m := s.next(t); m.text != `{"type":"waiting"}` {
				t.Errorf("after the idle time: %s", m.text)
			}
		}
		n.age(t, idle.ID, testLimits.Max)
		must(t, n.sessions.Logout(t.Context(), live))
		n.publish(t, sender, anna, critical("nobody is there"))
		n.quiet(t, p, s, "both sessions have ended")
		if left := n.subscriptions(t); left != 0 {
			t.Errorf("%d subscriptions of ended sessions are left", left)
		}
		if err := p.subscribe(t, live, other.subscription()); codeOf(err) != models.CodeUnauthenticated {
			t.Errorf("an ended session subscribed: %v", err)
		}
	})
}

// TestPushOfEachEnd: however a session ends, its subscriptions are gone with it.
//
// Security: S46
func TestPushOfEachEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		for name, end := range map[string]func(user string, l *Live) error{
			"logout":   func(_ string, l *Live) error { return n.sessions.Logout(t.Context(), l) },
			"by-admin": func(user string, _ *Live) error { return n.sessions.EndUser(t.Context(), user) },
			"disabled": func(user string, _ *Live) error { return n.users.Disable(t.Context(), user) },
			"deleted":  func(user string, _ *Live) error { return n.users.Delete(t.Context(), user) },
			"everyone": func(string, *Live) error { return n.sessions.EndEveryone(t.Context(), "") },
			"max-age": func(_ string, l *Live) error {
				n.age(t, l.ID, testLimits.Max)
				return n.sessions.Sweep(t.Context())
			},
		} {
			n.person(t, name)
			_, l := n.subscribed(t, p, s, name)
			if n.subscriptions(t) != 1 {
				t.Fatal("nobody has subscribed")
			}
			must(t, end(name, l))
			if left := n.subscriptions(t); left != 0 {
				t.Errorf("%s: %d subscriptions are left", name, left)
			}
		}
	})
}

// TestPushIsUnwanted: what was read, withdrawn, superseded or has expired by the time is not pushed.
func TestPushIsUnwanted(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		user := n.person(t, "anna")
		sender, anna := n.system(t), Target{Users: []string{"anna"}}
		n.subscribed(t, p, s, "anna")
		yes, key := true, "k"
		soon := models.InstantOf(time.Now().Add(time.Minute))
		read := n.publish(t, sender, anna, titled("read"))
		got(n.notices.Mark(t.Context(), user, Marking{IDs: []int64{read.ID}, Read: &yes}))(t)
		archived := n.publish(t, sender, anna, titled("archived"))
		got(n.notices.Mark(t.Context(), user, Marking{IDs: []int64{archived.ID}, Archived: &yes}))(t)
		withdrawn := n.publish(t, sender, anna, titled("withdrawn"))
		n.run(t, "UPDATE entries SET withdrawn_at = "+n.db.now()+" WHERE log_offset = ?", withdrawn.ID)
		expired := n.publish(t, sender, anna, models.NoticeContent{Title: "expired", ExpiresAt: &soon})
		n.run(t, "UPDATE entries SET expires_at = "+n.db.now()+" WHERE log_offset = ?", expired.ID)
		n.publish(t, sender, anna, models.NoticeContent{Title: "superseded", CollapseKey: &key})
		n.publish(t, sender, anna, models.NoticeContent{Title: "newer", CollapseKey: &key})
		must(t, p.spread(t.Context()))
		if waiting := n.unpushed(t); waiting != 6 {
			t.Fatalf("%d wait, want all: this proves nothing", waiting)
		}
		pushing(t, p)
		s.titled(t, "newer")
		n.quiet(t, p, s, "the others are of no use any more")
		n.eventually(t, "one is counted as sent and five as unwanted", func() bool { return p.counts[pushSent].Load() == 1 && p.counts[pushUnwanted].Load() == 5 })
	})
}

// TestPushIsCut: the longest notice fits, and what is left of its body is whole characters.
func TestPushIsCut(t *testing.T) {
	for _, letter := range []string{"x", "é", "钟", "🔔", "\"", "\x01"} {
		link := "/" + strings.Repeat("y", models.MaxURL-1)
		view := NoticeView{ID: 1 << 52, NoticeContent: models.NoticeContent{Title: strings.Repeat(letter, models.MaxTitle), URL: &link,
			Body: strings.Repeat(letter, models.MaxBody/len(letter)), Severity: "critical"}}
		m := got(pushOf(&view, 0, "key:a", 1<<40, false, "secret"))(t)
		if len(m.payload) > pushMost || len(m.payload) < pushMost-len(`\u0001`) || !utf8.Valid(m.payload) || strings.ContainsRune(string(m.payload), utf8.RuneError) {
			t.Errorf("of %q: %d bytes of %d", letter, len(m.payload), pushMost)
		}
	}
}

// TestPushOfALongAddress: one that takes twice its length in JSON is left out where it does not fit, and holds nobody up.
func TestPushOfALongAddress(t *testing.T) {
	link := "/" + strings.Repeat(`"`, models.MaxURL-1)
	if !ValidLink(link) {
		t.Fatal("nobody can send this")
	}
	view := NoticeView{ID: 1, NoticeContent: models.NoticeContent{Title: strings.Repeat("\x01", models.MaxTitle), Body: "body", URL: &link, Severity: "info"}}
	made := make(chan push, 1)
	go func() {
		m, err := pushOf(&view, 0, "key:a", 1, false, "secret")
		if err != nil {
			t.Error(err)
		}
		made <- m
	}()
	select {
	case m := <-made:
		var content pushContent
		if err := json.Unmarshal(m.payload, &content); err != nil || len(m.payload) > pushMost || content.Title != view.Title || content.URL != nil {
			t.Errorf("%d bytes of %d, %v", len(m.payload), pushMost, err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the message is never done")
	}
}

// TestPushSubscribes: what a browser may subscribe with, and how often.
func TestPushSubscribes(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		l, _ := n.signIn(t, "anna")
		good := s.browser().subscription()
		for name, wrong := range map[string]NewPushSubscription{
			"endpoint":    {"http://127.0.0.1:1/push", good.P256dh, good.Auth},
			"keys.p256dh": {good.Endpoint, good.P256dh[:len(good.P256dh)-4] + "AAAA", good.Auth},
			"keys.auth":   {good.Endpoint, good.P256dh, good.Auth + "AAAA"},
		} {
			err := p.subscribe(t, l, wrong)
			if e := refused(t, name, err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != name || strings.Contains(fmt.Sprint(e), "127.0.0.1") {
				t.Errorf("%s: %+v", name, e)
			}
		}
		for range models.MaxPushSubscriptions {
			must(t, p.subscribe(t, l, s.browser().subscription()))
		}
		refused(t, "one too many", p.subscribe(t, l, good), models.CodeConflict)
		other, _ := n.signIn(t, "anna")
		must(t, p.subscribe(t, other, good))
		must(t, p.subscribe(t, other, good))
		if got := n.subscriptions(t); got != models.MaxPushSubscriptions+1 {
			t.Errorf("%d subscriptions", got)
		}
	})
}

// TestPushHosts: where a push may go.
//
// Security: S46
func TestPushHosts(t *testing.T) {
	h := newPushHosts([]string{"fcm.googleapis.com", "*.push.apple.com", "https://push.lan", "http://127.0.0.1:9000"})
	for endpoint, origin := range map[string]string{
		"https://fcm.googleapis.com/fcm/send/x:y": "https://fcm.googleapis.com", "https://web.push.apple.com/QA": "https://web.push.apple.com",
		"https://push.lan/1?a=b": "https://push.lan", "http://127.0.0.1:9000/1": "http://127.0.0.1:9000",
	} {
		if got, ok := h.service(endpoint); !ok || got != origin {
			t.Errorf("%s: %s, %v", endpoint, got, ok)
		}
	}
	for _, endpoint := range []string{"", "fcm.googleapis.com", "http://fcm.googleapis.com/1", "https://fcm.googleapis.com:8443/1", "https://fcm.googleapis.com.evil.example/",
		"https://evil.example/fcm.googleapis.com", "https://u@fcm.googleapis.com/", "https://fcm.googleapis.com@evil.example/", "https://push.apple.com/", "https://.push.apple.com/",
		"https://apush.apple.com/", "https://push.lan:8443/", "http://push.lan/", "http://127.0.0.1:9001/", "https://127.0.0.1/", "https://fcm.googleapis.com/#x", "https://fcm.googleapis.com/ x",
		"https://fcm.googleapis.com/\n", "https:fcm.googleapis.com/1", "https://fcm.googleapis.com\\@evil.example/", "https://fcm.googleapis.com/" + strings.Repeat("x", models.MaxPushEndpoint)} {
		if _, ok := h.service(endpoint); ok {
			t.Errorf("%q is let through", endpoint)
		}
	}
	for address, public := range map[string]bool{"8.8.8.8:443": true, "[2607:f8b0:4005:80a::200a]:443": true, "[64:ff9b::808:808]:443": true, "127.0.0.1:443": false, "10.1.2.3:443": false,
		"192.168.1.1:443": false, "172.16.0.1:443": false, "169.254.169.254:443": false, "100.64.0.1:443": false, "0.0.0.0:443": false, "224.0.0.1:443": false, "255.255.255.255:443": false,
		"[::1]:443": false, "[fe80::1]:443": false, "[fd00::1]:443": false, "[::ffff:127.0.0.1]:443": false, "[::ffff:10.0.0.1]:443": false, "[::ffff:100.64.0.1]:443": false, "[::]:443": false, "[ff02::1]:443": false, "x": false} {
		if err := publicAlone(t.Context(), "tcp", address, nil); (err == nil) != public {
			t.Errorf("%s: %v", address, err)
		}
	}
	// A name is looked at again when it has become an address.
	_, err := newPushHosts([]string{"localhost"}).client().Get("https://localhost/")
	if err == nil || !strings.Contains(err.Error(), errPrivateAddress.Error()) {
		t.Errorf("a name that leads to this machine: %v", err)
	}
}

// TestPushKeys: nodes that start at once, and those that start later, have one pair.
func TestPushKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.run(t, "DELETE FROM vapid_keys")
		keys := make([]string, 4)
		atOnce(len(keys), func(i int) {
			var err error
			if keys[i], err = p.settleKeys(t.Context()); err != nil {
				t.Error(err)
			}
		})
		for _, key := range keys {
			if key != keys[0] || len(key) != 87 {
				t.Errorf("%v", keys)
			}
		}
		if later := n.pusher(t, s).Key(); later != keys[0] {
			t.Error("another start, another key")
		}
	})
}

// TestPushIsSilenced: what a person does not want to hear of is not pushed, but for what is critical.
func TestPushIsSilenced(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		user := n.person(t, "anna")
		sender, anna := n.system(t), Target{Users: []string{"anna"}}
		n.subscribed(t, p, s, "anna")
		pushing(t, p)
		choose := func(change func(*models.Preferences)) {
			t.Helper()
			chosen := models.DefaultPreferences()
			change(&chosen)
			must(t, p.chosen.Replace(t.Context(), user.ID, chosen))
		}
		billing, other := "billing", "other"
		choose(func(c *models.Preferences) { c.Muted = []string{billing} })
		n.publish(t, sender, anna, models.NoticeContent{Title: "muted", Category: &billing})
		n.publish(t, sender, anna, models.NoticeContent{Title: "of another category", Category: &other})
		s.titled(t, "of another category")
		n.publish(t, sender, anna, models.NoticeContent{Title: "muted, critical", Category: &billing, Severity: "critical"})
		s.titled(t, "muted, critical")
		choose(func(c *models.Preferences) {
			c.QuietHours = &models.QuietHours{From: "00:00", To: "00:00", TimeZone: "UTC", Days: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}}
		})
		n.publish(t, sender, anna, titled("quiet"))
		n.publish(t, sender, anna, critical("quiet, critical"))
		s.titled(t, "quiet, critical")
		choose(func(c *models.Preferences) { c.Popups = false })
		n.publish(t, sender, anna, critical("no pop-ups at all"))
		n.quiet(t, p, s, "anna wants no pop-ups")
		choose(func(*models.Preferences) {})
		n.publish(t, sender, anna, titled("again"))
		s.titled(t, "again")
	})
}

// TestPushOfASnoozedNotice: what was put off before it could be pushed is not.
func TestPushOfASnoozedNotice(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		user := n.person(t, "anna")
		n.subscribed(t, p, s, "anna")
		id := n.publish(t, n.system(t), Target{Users: []string{"anna"}}, titled("later")).ID
		n.run(t, "INSERT INTO notice_states (user_id, notice_id, snoozed_until) VALUES (?, ?, "+n.db.now()+" + 60000)", user.ID, id)
		must(t, p.spread(t.Context()))
		if n.unpushed(t) != 1 {
			t.Fatal("there is nothing to push: this proves nothing")
		}
		pushing(t, p)
		n.quiet(t, p, s, "it is put off")
	})
}

// TestPushUnderAnOldCookie: a request that was let in by a cookie which was replaced meanwhile subscribes nobody.
func TestPushUnderAnOldCookie(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		l, _ := n.signIn(t, "anna")
		got(n.sessions.ChangePassword(t.Context(), l, password, password))(t)
		refused(t, "the old cookie", p.subscribe(t, l, s.browser().subscription()), models.CodeUnauthenticated)
		if made := n.subscriptions(t); made != 0 {
			t.Errorf("%d subscriptions", made)
		}
	})
}
