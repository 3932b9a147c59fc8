package handlers_test

import (
	"sync"
	"testing"
	"time"

	"belfry/models"
)

func secret(text string) map[string]any { return map[string]any{"password": text} }

// TestUnlock goes once around: lock, wrong password, right password.
//
// Security: S2
func TestUnlock(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		// While active nothing changes, whatever the password.
		for _, text := range []string{"wrong", password} {
			if r := c.post("/api/v1/session/unlock", secret(text)).want(200); len(r.cookies()) > 0 || r.text("state") != "active" {
				s.Errorf("unlocking what is active: %v %s", r.cookies(), r.body)
			}
		}
		for range 2 {
			if r := c.post("/api/v1/session/lock", nil).want(200); r.text("state") != "locked" || r.text("reason") != "manual" || r.at("current") != true {
				s.Errorf("locked: %s", r.body)
			}
		}
		for _, left := range []int64{4, 3} {
			if got := c.post("/api/v1/session/unlock", secret("wrong")).refused(401, "unauthenticated").int("attempts_left"); got != left {
				s.Errorf("%d attempts left, want %d", got, left)
			}
		}
		s.age("created_at", c.id, time.Hour)
		old := c.cookie
		r := c.post("/api/v1/session/unlock", secret(password)).want(200)
		c.take(r)
		if c.cookie == old || r.text("id") != c.id || r.text("state") != "active" || r.at("reason") != nil {
			s.Errorf("unlocked: %s", r.body)
		}
		if idle, most := r.int("idle_remaining_ms"), r.int("max_remaining_ms"); idle < 890_000 || most > 11*3_600_000 {
			s.Errorf("unlock restarts idle and not the longest time: %d and %d ms left", idle, most)
		}
		dead := c.withCookie(old)
		if p := dead.get("/api/v1/session").refused(401, "unauthenticated").object(); p["reason"] != nil {
			s.Errorf("the old cookie names an ended session: %v", p)
		}
		if p := dead.post("/api/v1/session/unlock", secret("wrong")).refused(401, "unauthenticated").object(); p["reason"] != nil || p["attempts_left"] != nil {
			s.Errorf("unlock with the old cookie: %v", p)
		}
		// The right one began the count anew.
		c.post("/api/v1/session/lock", nil).want(200)
		if got := c.post("/api/v1/session/unlock", secret("wrong")).refused(401, "unauthenticated").int("attempts_left"); got != 4 {
			s.Errorf("%d attempts left after a right one, want 4", got)
		}
		second := c.cookie
		c.take(c.post("/api/v1/session/unlock", secret(password)).want(200))
		if c.cookie == second || c.cookie == old {
			s.Error("an unlock gave a cookie that was there before")
		}
	})
}

// TestFifthWrong: the fifth wrong password in a row ends the session.
//
// Security: S29, L17
func TestFifthWrong(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c, other := s.login("anna"), s.login("anna")
		c.post("/api/v1/session/lock", nil).want(200)
		for left := int64(4); left > 0; left-- {
			p := c.post("/api/v1/session/unlock", secret("wrong")).refused(401, "unauthenticated")
			if p.int("attempts_left") != left || p.object()["reason"] != nil {
				s.Errorf("want %d attempts left: %s", left, p.body)
			}
		}
		p := c.post("/api/v1/session/unlock", secret("wrong")).refused(401, "unauthenticated")
		if p.text("reason") != "too_many_attempts" || p.object()["attempts_left"] != nil {
			s.Errorf("the fifth: %s", p.body)
		}
		if got := c.post("/api/v1/session/unlock", secret(password)).refused(401, "unauthenticated").text("reason"); got != "too_many_attempts" {
			s.Errorf("the right one after it: reason %q", got)
		}
		if got := c.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "too_many_attempts" {
			s.Errorf("reason %q", got)
		}
		other.get("/api/v1/session").want(200)
	})
}

// TestUnlockRace: of many right passwords with one cookie exactly one wins; the others are told
// nothing that is not so, and none is an attempt.
//
// Security: L13
func TestUnlockRace(t *testing.T) {
	onEach(t, func(set *settings) { set.rate = models.Rate{Count: 1000, Per: time.Minute} }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		c.post("/api/v1/session/lock", nil).want(200)
		replies := make([]*reply, 8)
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() { replies[i] = c.post("/api/v1/session/unlock", secret(password)) })
		}
		all.Wait()
		won := 0
		for _, r := range replies {
			switch {
			case r.status == 200 && len(r.cookies()) == 1:
				won++
				c.take(r)
			default:
				if p := r.refused(401, "unauthenticated").object(); p["reason"] != nil || p["attempts_left"] != nil {
					s.Errorf("one that lost the race: %s", r.body)
				}
			}
		}
		if won != 1 {
			s.Errorf("%d of %d unlocked", won, len(replies))
		}
		if got := c.get("/api/v1/session").want(200).text("state"); got != "active" {
			s.Errorf("the session is %s", got)
		}
		if n := s.number("SELECT failed_unlocks FROM sessions WHERE id = ?", c.id); n != 0 {
			s.Errorf("%d failed unlocks were counted", n)
		}
	})
}

// TestWrongRace: wrong passwords at once are counted one by one, and no more than five.
//
// Security: L17
func TestWrongRace(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		c.post("/api/v1/session/lock", nil).want(200)
		replies := make([]*reply, 8)
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() { replies[i] = c.post("/api/v1/session/unlock", secret("wrong")) })
		}
		all.Wait()
		left := map[int64]int{}
		for _, r := range replies {
			p := r.refused(401, "unauthenticated").object()
			if p["reason"] == "too_many_attempts" {
				left[0]++
			} else if n, ok := p["attempts_left"].(float64); ok {
				left[int64(n)]++
			}
		}
		if left[4] != 1 || left[3] != 1 || left[2] != 1 || left[1] != 1 || left[0] != 4 {
			s.Errorf("attempts left, and how often it was said: %v", left)
		}
	})
}
