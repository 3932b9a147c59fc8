package services

import (
	"testing"

	"belfry/internal/testpg"
	"belfry/models"
)

// TestPreferencesOfMany reads those of several people at once.
func TestPreferencesOfMany(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, bob := n.person(t, "ann"), n.person(t, "bob")
		muted := models.DefaultPreferences()
		muted.Muted = []string{"billing"}
		must(t, n.preferences.Replace(t.Context(), ann.ID, muted))
		all := got(n.preferences.Of(t.Context(), ann.ID, bob.ID))(t)
		if a := all[ann.ID]; len(all) != 2 || !a.Silences("billing", "info", 0) || !a.Popups {
			t.Errorf("%+v", all)
		}
		if b := all[bob.ID]; b.Silences("billing", "info", 0) || !b.Popups {
			t.Errorf("who has chosen nothing: %+v", b)
		}
		refused(t, "nobody's", n.preferences.Replace(t.Context(), 1<<40, muted), models.CodeNotFound)
		must(t, n.users.Delete(t.Context(), "ann"))
		if left := n.number(t, "SELECT count(*) FROM preferences"); left != 0 {
			t.Error("they outlive the person")
		}
	})
}

// TestLocaleReachesOtherNodes: what a node keeps of a session shows the new locale as soon as the log was followed.
func TestLocaleReachesOtherNodes(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := newNode(t, address), newNode(t, address)
	ann := a.person(t, "ann")
	_, cookie := a.signIn(t, "ann")
	b.resolve(t, cookie)
	chosen := models.DefaultPreferences()
	for _, locale := range []string{"zh-CN", "en"} {
		chosen.Locale = &locale
		must(t, a.preferences.Replace(t.Context(), ann.ID, chosen))
		must(t, b.hub.Await(t.Context(), a.journal.Committed()))
		if seen := b.resolve(t, cookie).User.Locale; seen != locale {
			t.Errorf("the other node shows %q, want %q", seen, locale)
		}
	}
	before := a.journal.Committed()
	must(t, a.preferences.Replace(t.Context(), ann.ID, chosen))
	if a.journal.Committed() != before {
		t.Error("an entry was written though the locale is the same")
	}
}
