package cli

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

// TestResetLink prints a link alone, whose token the database knows by its hash; a newer one takes its place.
func TestResetLink(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		s.environ = append(s.environ, "BELFRY_PUBLIC_URL=https://bell.example:8443")
		s.ok("correct horse", "user", "add", "anna", "--password-stdin")
		first, second := s.ok("", "user", "reset-link", "ANNA"), s.ok("", "user", "reset-link", "anna")
		token, found := strings.CutPrefix(second, "https://bell.example:8443/reset#")
		if token = strings.TrimSuffix(token, "\n"); !found || first == second || len(token) < 43 || len(strings.Fields(second)) != 1 {
			t.Errorf("the output is not a link alone: %q after %q", second, first)
		}
		s.refused(exitFailed, `there is no user "carl"`, "", "user", "reset-link", "carl")
		db := s.open()
		defer db.Close()
		var hashes [][]byte
		if err := db.Read.Raw("SELECT token_hash FROM password_resets").Scan(&hashes).Error; err != nil {
			t.Fatal(err)
		}
		if want := sha256.Sum256([]byte(token)); len(hashes) != 1 || !bytes.Equal(hashes[0], want[:]) {
			t.Errorf("%d tokens are kept, or not the one of the link", len(hashes))
		}
		var made int64
		if err := db.Read.Raw("SELECT count(*) FROM audit WHERE action = 'password.reset_link_made' AND actor_type = 'command' AND username = 'anna'").Scan(&made).Error; err != nil || made != 2 {
			t.Errorf("%d links are on record: %v", made, err)
		}
	})
}
