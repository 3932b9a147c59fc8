package services

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestScheduledByWhoIsShutOut: what falls due when its sender may not send any more is withdrawn, and the record says so.
func TestScheduledByWhoIsShutOut(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, to := n.person(t, "ann"), Target{Users: []string{"ann"}}
		revoked, expired := n.system(t), n.system(t)
		senders := map[string]*Principal{"revoked": revoked, "expired": expired}
		for _, name := range []string{"disabled", "deleted", "back", "stays"} {
			n.person(t, name)
			senders[name] = n.principal(t, name)
		}
		ids := map[string]int64{}
		for name, p := range senders {
			ids[name] = n.later(t, p, to, time.Hour, titled("%s", name)).ID
		}
		must(t, n.keys.Revoke(t.Context(), revoked.Key.ID))
		n.run(t, "UPDATE api_keys SET expires_at = 1 WHERE id = ?", expired.Key.ID)
		for _, name := range []string{"disabled", "back"} {
			must(t, n.users.Disable(t.Context(), name))
		}
		must(t, n.users.Enable(t.Context(), "back"))
		must(t, n.users.Delete(t.Context(), "deleted"))
		n.run(t, "UPDATE schedules SET deliver_at = 1")
		got(n.notices.Release(t.Context()))(t)
		got(n.notices.Release(t.Context()))(t)

		titles := strings.Fields(n.titles(t, ann, Listing{Limit: 50}))
		slices.Sort(titles)
		if have := strings.Join(titles, " "); have != "back expired stays" {
			t.Errorf("released: %s", have)
		}
		for _, name := range []string{"disabled", "deleted", "revoked"} {
			if rows := n.number(t, "SELECT count(*) FROM schedules WHERE id = ? AND withdrawn_at IS NOT NULL", ids[name]); rows != 1 {
				t.Errorf("what %s scheduled is not withdrawn", name)
			}
			whom := map[string]string{"revoked": "key_name = 'system'"}[name]
			if whom == "" {
				whom = "username = '" + name + "'"
			}
			detail := fmt.Sprintf(`{"notice":%d,"reason":"sender_inactive"}`, ids[name])
			if records := n.number(t, "SELECT count(*) FROM audit WHERE action = 'notice.withdrawn' AND actor_type = 'system' AND "+whom+" AND detail = ?", detail); records != 1 {
				t.Errorf("%d records of what %s scheduled", records, name)
			}
		}
		if records := n.number(t, "SELECT count(*) FROM audit WHERE action = 'notice.withdrawn'"); records != 3 {
			t.Errorf("%d records", records)
		}
	})
}

// TestManyOfOneShutOut: more than one transaction takes are withdrawn, those of others among them go out.
func TestManyOfOneShutOut(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, revoked, kept := n.person(t, "ann"), n.system(t), n.system(t)
		const many = 2*releaseBatch + 7
		batch := make([]Outgoing, many)
		for i := range batch {
			batch[i] = Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("x"), DeliverAt: n.in(t, time.Hour)}
		}
		for part := range slices.Chunk(batch, MaxBatch) {
			_, faults, err := n.notices.PublishAll(t.Context(), revoked, part)
			must(t, errors.Join(append(faults, err)...))
		}
		n.later(t, kept, Target{Users: []string{"ann"}}, time.Hour, titled("kept"))
		must(t, n.keys.Revoke(t.Context(), revoked.Key.ID))
		n.run(t, "UPDATE schedules SET deliver_at = 1")
		for n.number(t, "SELECT count(*) FROM schedules WHERE withdrawn_at IS NULL") > 0 {
			got(n.notices.Release(t.Context()))(t)
		}
		n.inboxIs(t, "released", ann, "kept", 1)
		if records := n.number(t, "SELECT count(*) FROM audit WHERE action = 'notice.withdrawn'"); records != many {
			t.Errorf("%d records of %d", records, many)
		}
	})
}
