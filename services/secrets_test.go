package services

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// TestSecretsAreLongAndUnlike: no two of 1,000 sessions have the same id or secret, and no bit of the secrets leans to
// one side.
//
// Security: S1
func TestSecretsAreLongAndUnlike(t *testing.T) {
	t.Parallel()
	const many, bits = 400, 256
	n := newNode(t, sqliteAddress(t))
	n.person(t, "ann")
	seen, ones := map[string]bool{}, [bits]int{}
	for range many {
		_, cookie := n.signIn(t, "ann")
		var c claims
		_, _, err := jwt.NewParser().ParseUnverified(cookie, &c)
		must(t, err)
		raw := got(base64.RawURLEncoding.DecodeString(c.ID))(t)
		if seen[c.ID] || seen[c.Session] || len(raw)*8 != bits {
			t.Fatalf("%d bits, or one twice", len(raw)*8)
		}
		seen[c.ID], seen[c.Session] = true, true
		for i := range ones {
			ones[i] += int(raw[i/8] >> (i % 8) & 1)
		}
	}
	for i, n := range ones {
		if n < many*35/100 || n > many*65/100 { // six standard deviations
			t.Errorf("bit %d is set in %d of %d", i, n, many)
		}
	}
}

// TestPasswordsAreVerifiedWhole: 64 characters of four bytes each are a password, and its last one counts.
//
// Security: S30
func TestPasswordsAreVerifiedWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		long := strings.Repeat("🔔", 63)
		got(n.users.Add(t.Context(), NewUser{Username: "ann", Password: long + "🔔"}))(t)
		for password, right := range map[string]bool{long + "🔔": true, long + "🔕": false, long: false, long + "🔔🔔": false} {
			if _, _, err := n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: password}, Client{IP: "127.0.0.1"}, nil); (err == nil) != right {
				t.Errorf("%d bytes: %v", len(password), err)
			}
		}
	})
}
