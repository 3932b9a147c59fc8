package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"gorm.io/gorm"

	"belfry/internal/testpg"
	"belfry/models"
)

// waiting waits until so many transactions of this database wait for others, or something was answered.
func (s *site) waiting(n int64, answered <-chan *reply) {
	s.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end) && len(answered) == 0; time.Sleep(time.Millisecond) {
		if s.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") >= n {
			return
		}
	}
}

// TestBackchannelWhileASignInEnds: a token that looked for sessions a moment before this one began, and is not committed
// yet, is not passed over. On SQLite there is one writer anyway.
// Security: S10, S41
func TestBackchannelWhileASignInEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, testpg.Database(t), federated(signUp))
	s.account("subject-a", "anna")
	v, other := s.visitor(s.provider), s.visitor(s.provider)
	v.around(toLogin, "anna").want(200)
	back := other.there.SignIn(s, other.begin(toLogin), "anna", atTheProvider)
	token := s.logoutToken(map[string]any{"sub": "subject-a"})
	loggedOut, signedIn := make(chan *reply, 1), make(chan *reply, 1)
	if err := s.db.Write.Transaction(func(tx *gorm.DB) error {
		// As a publisher does. The token's entry of the first session waits for it, at the end of its transaction.
		if err := tx.Exec("SELECT pg_advisory_xact_lock(822301)").Error; err != nil {
			return err
		}
		go func() { loggedOut <- s.backchannel(token) }()
		s.waiting(1, loggedOut)
		go func() { signedIn <- other.finish(back) }()
		s.waiting(2, signedIn)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	(<-loggedOut).want(200)
	if r := (<-signedIn).refused(401, "unauthenticated"); len(r.cookies()) > 0 {
		t.Error("a cookie came")
	}
	if n := s.number("SELECT count(*) FROM sessions WHERE state <> 'ended'"); n != 0 {
		t.Errorf("%d sessions go on", n)
	}
}

// TestUnlinkWhileASignInEnds: an identity that is taken away lets nobody in behind the back of who takes it away.
// Security: S10, S41
func TestUnlinkWhileASignInEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, testpg.Database(t), federated())
	s.addUser("anna", models.RoleUser)
	s.addUser("root", models.RoleAdmin)
	s.account("subject-a", "anna")
	root, v := s.login("root"), s.visitor(s.provider)
	v.around(toLogin, "anna").want(200)
	other := s.visitor(s.provider)
	back := other.there.SignIn(s, other.begin(toLogin), "anna", atTheProvider)
	signedIn := make(chan *reply, 1)
	if err := s.db.Write.Transaction(func(tx *gorm.DB) error {
		// As whoever changes her does. The sign-in waits for it, after it was found whose it is.
		if err := tx.Exec("SELECT 1 FROM users WHERE username = 'anna' FOR NO KEY UPDATE").Error; err != nil {
			return err
		}
		go func() { signedIn <- other.finish(back) }()
		s.waiting(1, signedIn)
		root.do(http.MethodDelete, "/api/v1/users/anna/identity", nil).want(204)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if r := (<-signedIn).refused(401, "unauthenticated"); len(r.cookies()) > 0 {
		t.Error("a cookie came")
	}
	if n := s.number("SELECT count(*) FROM sessions WHERE state <> 'ended' AND id <> ?", root.id); n != 0 {
		t.Errorf("%d sessions go on", n)
	}
}
