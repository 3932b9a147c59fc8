package services

import (
	"testing"

	"belfry/internal/testpg"
	"belfry/models"
)

func TestCacheForgetsWhatWasOnItsWay(t *testing.T) {
	t.Parallel()
	c := newCache[string, int]()
	_, before, _ := c.get("a")
	c.forget("b")
	c.put(before, "a", 1)
	if _, _, known := c.get("a"); known {
		t.Error("a row that was read before something was forgotten is kept")
	}
	_, now, _ := c.get("a")
	c.put(now, "a", 1)
	c.put(now, "b", 2)
	c.change("a", func(v int) int { return v + 10 })
	c.change("none", func(v int) int { return v + 10 })
	c.forgetWhere(func(v int) bool { return v == 2 })
	a, _, known := c.get("a")
	if _, _, knownB := c.get("b"); a != 11 || !known || knownB || len(c.rows) != 1 {
		t.Errorf("%v", c.rows)
	}
	for i := range cacheLimit {
		_, turn, _ := c.get("a")
		c.put(turn, string(rune(i)), i)
	}
	if len(c.rows) > cacheLimit {
		t.Errorf("%d rows", len(c.rows))
	}
}

// TestWhatIsKeptIsForgottenAtOnce: on the node that changes a row nobody is answered from before the change.
//
// Security: S2, L18
func TestWhatIsKeptIsForgottenAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		n.admin(t, "root")
		key, secret, err := n.keys.Create(t.Context(), KeySpec{Name: "k", Scopes: []models.Scope{models.ScopeNoticesWrite}})
		must(t, err)
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		system := &Principal{Key: key}
		to := Target{Users: []string{"Ann"}, Groups: []string{"CREW"}}
		l, cookie := n.signIn(t, "ann")
		for range 2 { // the second is answered from memory
			n.resolve(t, cookie)
			got(n.keys.Resolve(t.Context(), secret))(t)
			n.publish(t, system, to, titled("x"))
		}
		admin := models.RoleAdmin
		got(n.users.Update(t.Context(), "ann", UserChange{Role: &admin}))(t)
		if now := n.resolve(t, cookie); now.User.Role != models.RoleAdmin {
			t.Errorf("still a %s", now.User.Role)
		}
		got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		if now := n.resolve(t, cookie); now.Verdict.State != models.SessionLocked {
			t.Errorf("still %s", now.Verdict.State)
		}
		must(t, n.keys.Revoke(t.Context(), key.ID))
		_, err = n.keys.Resolve(t.Context(), secret)
		refused(t, "a revoked key", err, models.CodeUnauthenticated)
		must(t, n.groups.Remove(t.Context(), "crew"))
		_, err = n.notices.Publish(t.Context(), system, Outgoing{To: Target{Groups: []string{"crew"}}, Content: titled("x")})
		refused(t, "to a group that is gone", err, models.CodeInvalid)
		must(t, n.users.Delete(t.Context(), "ann"))
		_, err = n.notices.Publish(t.Context(), system, Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("x")})
		refused(t, "to a person who is gone", err, models.CodeInvalid)
		n.person(t, "ann")
		again := n.publish(t, system, Target{Users: []string{"ann"}}, titled("x"))
		if n.number(t, "SELECT count(*) FROM recipients WHERE log_offset = ? AND audience = ?", again.ID, userAudience(ann.ID)) != 0 {
			t.Error("a new person of the same name gets a notice under the old one's id")
		}
	})
}

// TestActivityOnAnotherNodeIsLearned: it is no entry of the log, and yet a session that is in use must not look idle.
//
// Security: L9
func TestActivityOnAnotherNodeIsLearned(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := newNode(t, address), newNode(t, address)
	a.person(t, "ann")
	l, cookie := a.signIn(t, "ann")
	a.idle(t, l.ID, testLimits.Idle/2)
	if before := b.resolve(t, cookie); before.Verdict.IdleRemaining > testLimits.Idle/2 {
		t.Fatalf("%v to the lock", before.Verdict.IdleRemaining)
	}
	must(t, b.sessions.Refresh(t.Context()))
	got(a.sessions.Touch(t.Context(), a.resolve(t, cookie), true))(t)
	for range 2 { // the second goes on from what the first has learned
		must(t, b.sessions.Refresh(t.Context()))
	}
	if after := b.resolve(t, cookie); after.Verdict.IdleRemaining < testLimits.Idle-patience {
		t.Errorf("%v to the lock, though it was in use on the other node", after.Verdict.IdleRemaining)
	}
}
