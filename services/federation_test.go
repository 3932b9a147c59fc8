package services

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"belfry/internal/testoidc"
	"belfry/models"
)

// TestDiscoveryIsRenewed: what is known of the provider is asked for anew after a while, and is good for as long as that fails.
func TestDiscoveryIsRenewed(t *testing.T) {
	t.Parallel()
	p := testoidc.Start(t, testoidc.Client{ID: "belfry"})
	f := NewFederation(nil, nil, nil, FederationSettings{Issuer: p.Issuer(), ClientID: "belfry"}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	first := got(f.discover(t.Context()))(t)
	if again := got(f.discover(t.Context()))(t); again != first {
		t.Error("asked for anew at once")
	}
	old := *first
	old.readAt = time.Now().Add(-discoveryAge)
	f.provider.Store(&old)
	// finish waits for what goes on beside the requests.
	finish := func() { _, _, _ = f.asking.Do("", func() (any, error) { return nil, nil }) }
	p.Down(true)
	if known := got(f.discover(t.Context()))(t); known != &old {
		t.Error("forgotten while the provider is away")
	}
	finish()
	if f.provider.Load() != &old {
		t.Error("replaced by what no provider said")
	}
	p.Down(false)
	if known := got(f.discover(t.Context()))(t); known != &old {
		t.Error("a request waited for the answer")
	}
	finish()
	if f.provider.Load() == &old {
		t.Error("not asked for anew")
	}
}

// TestUsedTokensAreForgotten: when they could not be used any more, and no sign-in can be under way that they overtook.
func TestUsedTokensAreForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		now := got(n.db.clock(t.Context()))(t)
		for id, expires := range map[string]models.Instant{"old": now - 1, "good": now + 60_000} {
			n.run(t, "INSERT INTO logout_tokens (id_hash, subject, sid, received_at, expires_at) SELECT ?, '', '', ?, ?", hashOf(id), now, expires)
		}
		must(t, n.house.purge(t.Context()))
		if left := n.number(t, "SELECT count(*) FROM logout_tokens"); left != 1 {
			t.Errorf("%d are left", left)
		}
		if left := n.number(t, "SELECT count(*) FROM logout_tokens WHERE id_hash = ?", hashOf("good")); left != 1 {
			t.Error("the wrong one went")
		}
	})
}
