package services

import (
	"slices"
	"testing"
	"time"

	"belfry/models"
)

// TestPushOfWhatIsBack: the end of a snooze is pushed as the notice was, once, also to who has subscribed since; not what
// was brought back by hand or has been read, nor what is muted.
func TestPushOfWhatIsBack(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		user, sender, anna := n.person(t, "anna"), n.system(t), Target{Users: []string{"anna"}}
		billing := "billing"
		ids := map[string]int64{}
		for _, c := range []models.NoticeContent{titled("plain"), titled("read"), titled("by hand"), titled("not due"),
			{Title: "muted", Category: &billing}, {Title: "muted, critical", Category: &billing, Severity: "critical"}} {
			ids[c.Title] = n.publish(t, sender, anna, c).ID
			n.snooze(t, user, later(time.Hour), ids[c.Title])
		}
		// Longer ago than a push service keeps a notice.
		n.run(t, "UPDATE entries SET created_at = created_at - ? WHERE kind = 'notice'", (3 * pushLife).Milliseconds())
		n.subscribed(t, p, s, "anna")
		chosen := models.DefaultPreferences()
		chosen.Muted = []string{billing}
		must(t, p.chosen.Replace(t.Context(), user.ID, chosen))
		pushing(t, p)
		n.snooze(t, user, nil, ids["by hand"])
		n.quiet(t, p, s, "who brings one back knows")
		got(n.notices.MarkOne(t.Context(), user, ids["read"], Marking{Read: new(true)}))(t)
		n.run(t, "UPDATE notice_states SET snoozed_until = 1 WHERE snoozed_until IS NOT NULL AND notice_id <> ?", ids["not due"])
		for range 2 {
			must(t, n.notices.Wake(t.Context()))
		}
		var titles []string
		for range 2 {
			m := s.next(t)
			titles = append(titles, m.message.Title)
			if id := ids[m.message.Title]; m.message.ID != id || m.message.Unread != 4 || m.topic == "" || time.Duration(m.ttl)*time.Second < pushLife-time.Minute {
				t.Errorf("%+v", m)
			}
			if critical := m.message.Severity == "critical"; critical != (m.urgency == "high") {
				t.Errorf("%s has urgency %s", m.message.Title, m.urgency)
			}
		}
		slices.Sort(titles)
		if !slices.Equal(titles, []string{"muted, critical", "plain"}) {
			t.Errorf("%q were pushed", titles)
		}
		n.quiet(t, p, s, "each once")
	})
}

// TestPushOfManyThatAreBack: what one transaction does not take goes with the next ones, and nothing twice.
func TestPushOfManyThatAreBack(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		p.batch = 5
		const notices, browsers = 4, 3
		for _, name := range []string{"anna", "bert"} {
			user := n.person(t, name)
			for range browsers {
				n.subscribed(t, p, s, name)
			}
			sender := n.system(t)
			for range notices {
				done := n.publish(t, sender, Target{Users: []string{name}}, titled("x"))
				n.run(t, "INSERT INTO notice_states (user_id, notice_id, snoozed_until) VALUES (?, ?, 1)", user.ID, done.ID)
			}
		}
		n.run(t, "UPDATE push_progress SET log_offset = (SELECT head + 1 FROM log_head)")
		must(t, n.notices.Wake(t.Context()))
		n.publish(t, n.system(t), Target{Users: []string{"anna"}}, titled("new"))
		must(t, p.spread(t.Context()))
		if waiting := n.unpushed(t); waiting != 2*notices*browsers+browsers {
			t.Errorf("%d wait", waiting)
		}
		if twice := n.number(t, "SELECT count(*) FROM (SELECT 1 FROM push_deliveries GROUP BY subscription_id, log_offset HAVING count(*) > 1) AS twice"); twice != 0 {
			t.Errorf("%d are to be pushed twice", twice)
		}
	})
}
