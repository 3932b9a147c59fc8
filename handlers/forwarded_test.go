package handlers_test

import (
	"net/netip"
	"testing"
	"time"

	"belfry/models"
)

// TestForwarded: what a client says of its own address counts only through a proxy that is trusted.
//
// Security: S35
func TestForwarded(t *testing.T) {
	for name, proxies := range map[string][]netip.Prefix{"untrusted": nil, "trusted": {netip.MustParsePrefix("127.0.0.0/8")}} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(set *settings) {
				set.proxies = proxies
				set.rate = models.Rate{Count: 2, Per: time.Minute}
			}, func(s *site) {
				s.addUser("anna", models.RoleUser)
				pair := map[string]any{"username": "anna", "password": password}
				from := func(address string) *client {
					return s.nobody().with("X-Forwarded-For", address).with("X-Real-IP", address).with("Forwarded", "for="+address)
				}
				want := map[bool]string{true: "203.0.113.7", false: "127.0.0.1"}[proxies != nil]
				if got := from("203.0.113.7").post("/api/v1/login", pair).want(200).text("ip"); got != want {
					s.Errorf("ip %q, want %q", got, want)
				}
				// An address of one's own choice each time is no way around the throttle.
				for i := range 2 {
					from("198.51.100."+itoa(int64(i))).post("/api/v1/login", map[string]any{"username": "anna", "password": "wrong"}).refused(401, "unauthenticated")
				}
				from("198.51.100.9").post("/api/v1/login", pair).want(map[bool]int{true: 200, false: 429}[proxies != nil])
			})
		})
	}
}
