package services

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"belfry/models"
)

// TestPushNodesAtOnce: of several nodes that push, each push comes from one.
func TestPushNodesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		nodes := []*Push{n.pusher(t, s), n.pusher(t, s), n.pusher(t, s)}
		const people, notices = 5, 10
		for i := range people {
			name := fmt.Sprintf("person-%d", i)
			n.person(t, name)
			n.subscribed(t, nodes[0], s, name)
		}
		for _, p := range nodes {
			pushing(t, p)
		}
		sender := n.system(t)
		for i := range notices {
			n.publish(t, sender, Target{Everyone: true}, titled("%d", i))
		}
		seen := map[string]bool{}
		for range people * notices {
			m := s.next(t)
			if key := m.browser.path + " " + m.message.Title; seen[key] {
				t.Errorf("%s was pushed twice", key)
			} else {
				seen[key] = true
			}
		}
		n.quiet(t, nodes[1], s, "each has got each")
	})
}

// TestPushAfterARestart: a node that comes back goes on where it was, sends nothing a second time, and nothing that is no
// news any more.
func TestPushAfterARestart(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		first, second, third := n.pusher(t, s), n.pusher(t, s), n.pusher(t, s)
		n.person(t, "anna")
		sender, anna := n.system(t), Target{Users: []string{"anna"}}
		n.subscribed(t, first, s, "anna")
		stop := pushing(t, first)
		n.publish(t, sender, anna, titled("one"))
		s.titled(t, "one")
		n.settledPushes(t, first)
		stop()
		old := n.publish(t, sender, anna, titled("old"))
		n.run(t, "UPDATE entries SET created_at = created_at - ? WHERE log_offset = ?", (pushNews + time.Minute).Milliseconds(), old.ID)
		n.publish(t, sender, anna, titled("two"))
		stop = pushing(t, second)
		s.titled(t, "two")
		n.quiet(t, second, s, "it has arrived")
		if late := second.counts[pushUnwanted].Load(); late != 0 {
			t.Errorf("%d deliveries were written of what is no news", late)
		}
		stop()
		// What was turned into a delivery and then lay there for long is no news either.
		n.publish(t, sender, anna, titled("late"))
		must(t, second.spread(t.Context()))
		n.run(t, "UPDATE push_deliveries SET created_at = created_at - ?", (pushNews + time.Minute).Milliseconds())
		n.publish(t, sender, anna, titled("three"))
		pushing(t, third)
		s.titled(t, "three")
		n.quiet(t, third, s, "the other one is old")
	})
}

// TestPushAfterAKill: what a node had a lease of when it died is sent by another when that has run out, and not before.
func TestPushAfterAKill(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		killed, other := n.pusher(t, s), n.pusher(t, s)
		n.person(t, "anna")
		sender, anna := n.system(t), Target{Users: []string{"anna"}}
		n.subscribed(t, killed, s, "anna")
		n.publish(t, sender, anna, titled("one"))
		must(t, killed.spread(t.Context()))
		if list := got(killed.claim(t.Context(), s.URL))(t); len(list) != 1 {
			t.Fatalf("%d rows", len(list))
		}
		pushing(t, other)
		n.publish(t, sender, anna, titled("two"))
		s.titled(t, "two")
		if n.unpushed(t) == 0 {
			t.Error("what another node is at was taken")
		}
		n.run(t, "UPDATE push_deliveries SET leased_until = "+n.db.now())
		s.titled(t, "one")
		n.quiet(t, other, s, "both have arrived")
	})
}

// TestPushToMany: more than are written at once are all told, once.
func TestPushToMany(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		p.batch = 20
		const people = 30
		anna := n.person(t, "anna")
		_, l := n.subscribed(t, p, s, "anna")
		b := s.browser().subscription()
		rows := make([]models.PushSubscription, people-1)
		for i := range rows {
			rows[i] = models.PushSubscription{Endpoint: fmt.Sprintf("%s/%d", s.URL, i), Service: s.URL, P256dh: b.P256dh, Auth: b.Auth, SessionID: l.ID, UserID: anna.ID}
		}
		must(t, n.db.Write.CreateInBatches(rows, 500).Error)
		sender := n.system(t)
		for i := range 3 {
			n.publish(t, sender, Target{Everyone: true}, titled("%d", i))
		}
		must(t, p.spread(t.Context()))
		if all := n.unpushed(t); all != 3*people {
			t.Errorf("%d deliveries, want %d", all, 3*people)
		}
		if each := n.number(t, "SELECT count(*) FROM (SELECT DISTINCT subscription_id, log_offset FROM push_deliveries) AS pairs"); each != 3*people {
			t.Errorf("%d of them are different", each)
		}
	})
}

// TestPushByManyWays: whoever is reached by whichever ways, and by however many notices at once, is told of each once.
func TestPushByManyWays(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		p.batch = 7
		n.person(t, "anna")
		n.person(t, "bob")
		for _, name := range []string{"anna", "anna", "bob"} {
			n.subscribed(t, p, s, name)
		}
		got(n.groups.Add(t.Context(), "ops", ""))(t)
		got(n.groups.Add(t.Context(), "empty", ""))(t)
		must(t, n.groups.Join(t.Context(), "ops", "anna", "bob"))
		sender, want := n.system(t), int64(0)
		for range 6 {
			for _, to := range []struct {
				Target
				browsers int64
			}{
				{Target{Users: []string{"anna"}}, 2}, {Target{Groups: []string{"ops", "empty"}}, 3}, {Target{Users: []string{"bob"}, Groups: []string{"ops"}}, 3},
				{Target{Groups: []string{"empty"}}, 0}, {Target{Everyone: true}, 3}, {Target{Users: []string{"bob"}, Groups: []string{"empty"}}, 1},
			} {
				n.publish(t, sender, to.Target, titled("news"))
				want += to.browsers
			}
		}
		must(t, p.spread(t.Context()))
		if all := n.unpushed(t); all != want {
			t.Errorf("%d deliveries, want %d", all, want)
		}
		if each := n.number(t, "SELECT count(*) FROM (SELECT DISTINCT subscription_id, log_offset FROM push_deliveries) AS pairs"); each != want {
			t.Errorf("%d of them are different", each)
		}
	})
}

// TestPushWithoutSubscribers: where nobody is to be told nothing is written, however much is published.
func TestPushWithoutSubscribers(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		n.person(t, "bob")
		sender := n.system(t)
		n.publish(t, sender, Target{Users: []string{"anna"}}, titled("nobody"))
		reached := n.number(t, "SELECT log_offset FROM push_progress")
		n.subscribed(t, p, s, "bob")
		for i := range 3 {
			n.publish(t, sender, Target{Users: []string{"anna"}}, titled("%d", i))
			must(t, p.spread(t.Context()))
		}
		cost := int64(math.MaxInt64)
		for range 5 { // the node looks at the log by the clock meanwhile
			before := n.statements.Load()
			must(t, p.spread(t.Context()))
			cost = min(cost, n.statements.Load()-before)
		}
		if cost > 2 {
			t.Errorf("a look at nothing takes %d statements", cost)
		}
		if now := n.number(t, "SELECT log_offset FROM push_progress"); now != reached {
			t.Errorf("a place was written down for nobody: %d, then %d", reached, now)
		}
		n.publish(t, sender, Target{Users: []string{"anna"}}, titled("before anna subscribes"))
		n.subscribed(t, p, s, "anna")
		must(t, p.spread(t.Context()))
		if n.unpushed(t) != 0 {
			t.Error("somebody is told")
		}
		// And what is for somebody is found behind all that.
		pushing(t, p)
		n.publish(t, sender, Target{Users: []string{"bob"}}, titled("bob's"))
		s.titled(t, "bob's")
	})
}

// TestPushHangs: a push service that does not answer delays no other.
func TestPushHangs(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		hanging, well := newPushService(t), newPushService(t)
		p := n.pusher(t, hanging)
		p.hosts = newPushHosts([]string{hanging.URL, well.URL})
		well.key = p.Key()
		n.person(t, "anna")
		n.subscribed(t, p, hanging, "anna")
		n.subscribed(t, p, well, "anna")
		release := make(chan struct{})
		hanging.answers(func(http.ResponseWriter, *browser) int { <-release; return http.StatusCreated })
		pushing(t, p)
		sender := n.system(t)
		for i := range 3 {
			n.publish(t, sender, Target{Users: []string{"anna"}}, titled("%d", i))
			well.titled(t, fmt.Sprint(i))
		}
		close(release)
		for range 3 {
			hanging.next(t)
		}
		n.settledPushes(t, p)
	})
}
