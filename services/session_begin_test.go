package services

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"belfry/internal/testpg"
	"belfry/models"
)

// awaitLock waits until somebody waits for a lock of this database. Whoever has an answer already did not wait.
func (n *node) awaitLock(t *testing.T, answer <-chan error) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case err := <-answer:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(time.Millisecond):
		}
		if n.number(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0 {
			return
		}
	}
	t.Fatal("it neither came back nor waited")
}

// meanwhile runs do while somebody else's transaction is open, and gives its outcome after that was committed.
func (n *node) meanwhile(t *testing.T, do func() error, first, then func(tx *gorm.DB) error) error {
	t.Helper()
	answer := make(chan error, 1)
	must(t, n.db.Write.WithContext(t.Context()).Transaction(func(tx *gorm.DB) error {
		must(t, first(tx))
		go func() { answer <- do() }()
		n.awaitLock(t, answer)
		return then(tx)
	}))
	return <-answer
}

// TestSignInWhileDisabled: a sign-in that was verified before the person is disabled waits for that, and is refused. On
// SQLite there is one writer anyway.
// Security: S11
func TestSignInWhileDisabled(t *testing.T) {
	t.Parallel()
	n := newNode(t, testpg.Database(t))
	anna := n.person(t, "anna")
	err := n.meanwhile(t, func() error {
		_, _, err := n.sessions.start(t.Context(), anna, Client{}, nil, byPassword)
		return err
	}, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE users SET disabled_at = 1 WHERE id = ?", anna.ID).Error
	}, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE sessions SET state = 'ended' WHERE user_id = ?", anna.ID).Error
	})
	refused(t, "a sign-in that waited", err, models.CodeUnauthenticated)
	if begun := n.number(t, "SELECT count(*) FROM sessions"); begun != 0 {
		t.Errorf("%d sessions of somebody who is disabled", begun)
	}
}

// TestPasskeyWhileFactorsAreRemoved: whoever has taken over a session and adds a passkey of their own while an admin takes
// all factors away is left with none, whichever of the two comes first.
// Security: S45
func TestPasskeyWhileFactorsAreRemoved(t *testing.T) {
	t.Parallel()
	n := newNode(t, testpg.Database(t))
	ctx := t.Context()
	n.person(t, "anna")
	anna, _ := n.signIn(t, "anna")
	n.enrol(t, anna)
	made := newDevice().make(t, got(n.passkeys.BeginAdd(ctx, anna))(t), "thief's")
	err := n.meanwhile(t, func() error {
		_, _, err := n.passkeys.Add(ctx, anna, made, Repeatable{})
		return err
	}, func(tx *gorm.DB) error {
		must(t, n.sessions.takeUser(tx, anna.UserID))
		return tx.Exec("DELETE FROM passkeys").Error
	}, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE sessions SET state = 'ended' WHERE user_id = ?", anna.UserID).Error
	})
	refused(t, "a passkey after the removal", err, models.CodeUnauthenticated)
	err = n.meanwhile(t, func() error { return n.sessions.RemoveFactors(ctx, "anna") }, func(tx *gorm.DB) error {
		return n.sessions.holdUser(tx, anna.UserID)
	}, func(tx *gorm.DB) error {
		return tx.Exec("INSERT INTO passkeys (name, user_id, credential_id, public_key, flags, sign_count, created_at) SELECT 'thief''s', id, ?, ?, 0, 0, 0 FROM users",
			[]byte("id"), []byte("key")).Error
	})
	must(t, err)
	if left := n.number(t, "SELECT count(*) FROM passkeys"); left != 0 {
		t.Errorf("%d passkeys are left", left)
	}
}
