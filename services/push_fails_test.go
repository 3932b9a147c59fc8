package services

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"belfry/models"
)

// statusOf has the push service answer each browser with a status of its own; 201 where none is given.
func (s *pushService) statusOf(of map[*browser]int, retryAfter string) {
	s.answers(func(w http.ResponseWriter, b *browser) int {
		if of[b] >= http.StatusRequestTimeout {
			w.Header().Set("Retry-After", retryAfter)
		}
		if of[b] == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		return max(of[b], http.StatusCreated)
	})
}

// TestPushIsRefused: who is gone is told nothing any more, and what is refused is not tried again.
func TestPushIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		sender, anna := n.system(t), Target{Users: []string{"anna"}}
		gone, _ := n.subscribed(t, p, s, "anna")
		kept, _ := n.subscribed(t, p, s, "anna")
		pushing(t, p)
		for _, answer := range []int{http.StatusNotFound, http.StatusGone} {
			s.statusOf(map[*browser]int{gone: answer}, "")
			n.publish(t, sender, anna, titled("%d", answer))
			s.next(t)
			s.next(t)
			n.eventually(t, "the subscription is gone", func() bool { return n.subscriptions(t) == 1 })
			n.settledPushes(t, p)
			gone, _ = n.subscribed(t, p, s, "anna")
		}
		for _, answer := range []int{http.StatusFound, http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge} {
			s.statusOf(map[*browser]int{kept: answer, gone: answer}, "")
			n.publish(t, sender, anna, titled("%d", answer))
			s.next(t)
			s.next(t)
			n.quiet(t, p, s, "what is refused is refused")
			if n.subscriptions(t) != 2 {
				t.Errorf("%d cost a subscription", answer)
			}
		}
	})
}

// TestPushIsPutOff: what a push service cannot take now it gets later, until nobody wants it any more.
func TestPushIsPutOff(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		sender, anna := n.system(t), Target{Users: []string{"anna"}}
		kept, _ := n.subscribed(t, p, s, "anna")
		pushing(t, p)
		for _, answer := range []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable} {
			s.statusOf(map[*browser]int{kept: answer}, "120")
			n.publish(t, sender, anna, titled("%d", answer))
			s.titled(t, fmt.Sprint(answer))
			n.eventually(t, "it is put off", func() bool {
				return n.number(t, "SELECT count(*) FROM push_deliveries WHERE leased_until = 0 AND attempts = 1") == 1
			})
			if wait := time.Duration(n.number(t, "SELECT due_at - "+n.db.now()+" FROM push_deliveries")) * time.Millisecond; wait > 2*time.Minute || wait < time.Minute {
				t.Errorf("after %d with Retry-After it waits for %v", answer, wait)
			}
			s.statusOf(nil, "")
			n.run(t, "UPDATE push_deliveries SET due_at = "+n.db.now())
			s.titled(t, fmt.Sprint(answer))
			n.quiet(t, p, s, "it has arrived")
		}
		// Nobody wants it after its time, so it is not tried then.
		s.statusOf(map[*browser]int{kept: 503}, "7200")
		expires := models.InstantOf(time.Now().Add(time.Hour))
		n.publish(t, sender, anna, models.NoticeContent{Title: "short", ExpiresAt: &expires})
		s.titled(t, "short")
		n.quiet(t, p, s, "it has expired by then")
		n.eventually(t, "it is counted as given up", func() bool { return p.counts[pushGivenUp].Load() == 1 })
	})
}

// TestPushServiceRests: a push service that wants nothing at all is not asked for each of what waits.
func TestPushServiceRests(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const many = 5 * pushWidth
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		sender, anna := n.system(t), Target{Users: []string{"anna"}}
		kept, _ := n.subscribed(t, p, s, "anna")
		s.statusOf(map[*browser]int{kept: http.StatusTooManyRequests}, "120")
		for i := range many {
			n.publish(t, sender, anna, titled("%d", i))
		}
		pushing(t, p)
		n.eventually(t, "all is put off", func() bool {
			return n.number(t, "SELECT count(*) FROM push_deliveries WHERE leased_until = 0 AND due_at > "+n.db.now()+" + 60000") == many
		})
		if asked := len(s.arrived); asked > 2*pushWidth {
			t.Errorf("it was asked for %d of %d", asked, many)
		}
	})
}

func TestPushWaits(t *testing.T) {
	total := time.Duration(0)
	for attempts := 1; attempts < 40; attempts++ {
		wait := pushWait(attempts)
		if wait < pushFirstWait*9/10 || wait > pushLastWait*11/10 {
			t.Errorf("after %d attempts %v", attempts, wait)
		}
		if total += wait; total > pushLife && attempts < 20 {
			t.Errorf("given up after %d attempts", attempts)
		}
	}
	now := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "120": 2 * time.Minute, "-1": 0, "x": 0, "999999999": pushLife, "99999999999999999999": 0,
		"Fri, 01 May 2026 08:01:00 GMT": time.Minute, "Fri, 01 May 2026 07:00:00 GMT": 0, "Fri, 01 May 2028 08:00:00 GMT": pushLife} {
		if wait := pushRetryAfter(text, now); wait != want {
			t.Errorf("Retry-After %q: %v, want %v", text, wait, want)
		}
	}
}

// TestPushAttemptThatIsLate: an attempt that comes to its end after its lease does not put off the one that began since.
func TestPushAttemptThatIsLate(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		n.subscribed(t, p, s, "anna")
		n.publish(t, n.system(t), Target{Users: []string{"anna"}}, titled("x"))
		must(t, p.spread(t.Context()))
		late := got(p.claim(t.Context(), s.URL))(t)
		n.run(t, "UPDATE push_deliveries SET leased_until = 0")
		if next := got(p.claim(t.Context(), s.URL))(t); len(late) != 1 || len(next) != 1 || next[0].Attempts != 2 {
			t.Fatalf("%+v, then %+v", late, next)
		}
		late[0].outcome, late[0].wait = pushPutOff, time.Hour
		must(t, p.settle(t.Context(), late))
		now := n.db.now()
		if n.number(t, "SELECT count(*) FROM push_deliveries WHERE due_at <= "+now+" AND leased_until > "+now) != 1 {
			t.Error("the one that is under way has lost its lease")
		}
	})
}

// TestPushIsTriedForLong: what was news when it was first tried is tried later too, long after that.
func TestPushIsTriedForLong(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		s := newPushService(t)
		p := n.pusher(t, s)
		n.person(t, "anna")
		n.subscribed(t, p, s, "anna")
		n.publish(t, n.system(t), Target{Users: []string{"anna"}}, titled("x"))
		must(t, p.spread(t.Context()))
		private := got(p.privateKey(t.Context()))(t)
		for attempt, want := range []pushOutcome{pushUnwanted, pushSent} {
			n.run(t, "UPDATE push_deliveries SET leased_until = 0, attempts = ?, created_at = "+n.db.now()+" - ?", attempt, (pushNews + time.Minute).Milliseconds())
			list := got(p.claim(t.Context(), s.URL))(t)
			must(t, p.prepare(t.Context(), list, private))
			if len(list) != 1 || list[0].outcome != want {
				t.Errorf("attempt %d: %+v", attempt+1, list)
			}
		}
	})
}
