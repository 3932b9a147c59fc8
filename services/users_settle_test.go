package services

import (
	"slices"
	"sync/atomic"
	"testing"

	"belfry/models"
)

// TestSettle: who is not there is added, what differs is changed, and once more nothing happens.
func TestSettle(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		for _, group := range []string{"ops", "night"} {
			got(n.groups.Add(t.Context(), group, ""))(t)
		}
		n.publish(t, system, Target{Groups: []string{"ops"}, Everyone: true}, titled("before"))
		settle := func(w WantedUser, want string, changed ...string) *SettledUser {
			t.Helper()
			traces := func() int64 { return n.number(t, "SELECT (SELECT count(*) FROM audit) + (SELECT head FROM log_head)") }
			before := traces()
			tried := got(n.users.Settle(t.Context(), w, true))(t)
			if tried.Result() != want || !slices.Equal(tried.Changed, changed) || traces() != before {
				t.Errorf("tried: %s %v, want %s %v; %d traces", tried.Result(), tried.Changed, want, changed, traces()-before)
			}
			done := got(n.users.Settle(t.Context(), w, false))(t)
			if done.Result() != want || !slices.Equal(done.Changed, changed) {
				t.Errorf("%s %v, want %s %v", done.Result(), done.Changed, want, changed)
			}
			before = traces()
			again := got(n.users.Settle(t.Context(), w, false))(t)
			if again.Result() != "unchanged" || len(again.Changed) != 0 || traces() != before {
				t.Errorf("again: %s %v, %d traces", again.Result(), again.Changed, traces()-before)
			}
			return done
		}
		admin, groups := models.RoleAdmin, []string{"OPS", "night", "ops"}
		n.admin(t, "root")
		ann := settle(WantedUser{Username: "Ann", Groups: groups}, "added", "groups")
		if ann.ID == 0 || ann.Username != "Ann" || ann.DisplayName != "Ann" || ann.Role != models.RoleUser || ann.PasswordHash != "" || ann.DisabledAt != nil || ann.CreatedAt == 0 {
			t.Errorf("%+v", ann)
		}
		if _, _, err := n.sessions.Login(t.Context(), Credentials{Username: "ann"}, Client{IP: "127.0.0.1"}, nil); codeOf(err) != models.CodeUnauthenticated {
			t.Errorf("who has no password signs in with none: %v", err)
		}
		n.publish(t, system, Target{Groups: []string{"ops"}}, titled("after"))
		n.inboxIs(t, "from now on", &ann.User, "after", 1)
		// Each joining holds the offset of its own entry.
		if wrong := n.number(t, "SELECT count(*) FROM memberships m WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.log_offset = m.joined_offset AND e.kind = 'membership' AND e.audiences = 'user:' || m.user_id)"); wrong != 0 {
			t.Errorf("%d memberships without their entry", wrong)
		}

		must(t, n.users.SetPassword(t.Context(), "ann", password))
		_, cookie := n.signIn(t, "ann")
		changed := settle(WantedUser{Username: "ANN", DisplayName: new("Ann A."), Role: &admin}, "changed", "display_name", "role")
		if changed.DisplayName != "Ann A." || changed.Role != admin || changed.Username != "Ann" || changed.PasswordHash == "" {
			t.Errorf("%+v", changed)
		}
		stands(t, "a new role ends nothing", n.resolve(t, cookie), models.SessionActive, "")
		must(t, n.groups.Leave(t.Context(), "night", "ann"))
		settle(WantedUser{Username: "ann", Disabled: new(true), Groups: groups}, "changed", "disabled", "groups")
		stands(t, "disabled", n.resolve(t, cookie), models.SessionEnded, models.ReasonDisabled)
		if wrong := n.number(t, "SELECT count(*) FROM memberships m WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.log_offset = m.joined_offset AND e.kind = 'membership')"); wrong != 0 {
			t.Errorf("%d memberships without their entry", wrong)
		}
		settle(WantedUser{Username: "bob", Disabled: new(true), Role: &admin, DisplayName: new("Bob")}, "added")
	})
}

// TestSettleAllOrNothing: where one thing is wrong none is done.
func TestSettleAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		got(n.groups.Add(t.Context(), "ops", ""))(t)
		king := models.Role("king")
		for name, w := range map[string]WantedUser{
			"groups":       {DisplayName: new("New"), Groups: []string{"ops", "none"}},
			"role":         {DisplayName: new("New"), Role: &king, Groups: []string{"ops"}},
			"display_name": {DisplayName: new(string(make([]byte, 101))), Groups: []string{"ops"}},
		} {
			for _, user := range []string{"ann", "new"} {
				w.Username = user
				_, err := n.users.Settle(t.Context(), w, false)
				if e := refused(t, name+" of "+user, err, models.CodeInvalid); !slices.Equal(fields(e), []string{name}) {
					t.Errorf("%s: %v", name, fields(e))
				}
			}
		}
		_, err := n.users.Settle(t.Context(), WantedUser{Username: "a b"}, false)
		refused(t, "no name", err, models.CodeInvalid)
		_, err = n.users.Settle(t.Context(), WantedUser{Username: "ann", Groups: make([]string, MaxWantedGroups+1)}, false)
		refused(t, "too many groups", err, models.CodeInvalid)
		if left := n.number(t, "SELECT (SELECT count(*) FROM memberships) + (SELECT count(*) FROM users WHERE username <> 'ann' OR display_name <> 'ann')"); left != 0 {
			t.Errorf("%d rows of what was refused", left)
		}
	})
}

// TestSettleAtOnce: of several that add one person one does, and the others find them there.
func TestSettleAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		got(n.groups.Add(t.Context(), "ops", ""))(t)
		var added atomic.Int32
		atOnce(6, func(int) {
			done, err := n.users.Settle(t.Context(), WantedUser{Username: "ann", Groups: []string{"ops"}}, false)
			if err != nil {
				t.Error(err)
			} else if done.Added {
				added.Add(1)
			}
		})
		if rows := n.number(t, "SELECT (SELECT count(*) FROM users) * 10 + (SELECT count(*) FROM memberships)"); added.Load() != 1 || rows != 11 {
			t.Errorf("%d added, %d", added.Load(), rows)
		}
	})
}
