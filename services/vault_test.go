package services

import (
	"bytes"
	"strings"
	"testing"
)

func ringOf(t *testing.T, secret string, previous ...string) *Keyring {
	t.Helper()
	var old [][]byte
	for _, p := range previous {
		old = append(old, []byte(p))
	}
	return got(NewKeyring(t.Context(), nil, []byte(secret), old...))(t)
}

// TestVault: what is sealed is opened by the same purpose and key alone, also by a key that has been replaced.
//
// Security: S1
func TestVault(t *testing.T) {
	first, second := strings.Repeat("a", MinSecret), strings.Repeat("b", MinSecret)
	secret, purpose := []byte("a secret of anna's"), "totp 1"
	sealed := NewVault(ringOf(t, first)).Seal(purpose, secret)
	if strings.Contains(sealed, "anna") || strings.HasPrefix(sealed, plainForm) {
		t.Errorf("it is not sealed: %s", sealed)
	}
	if again := NewVault(ringOf(t, first)).Seal(purpose, secret); again == sealed {
		t.Error("two sealings are the same: the nonce is")
	}
	for name, vault := range map[string]*Vault{"the same key": NewVault(ringOf(t, first)), "a newer key before it": NewVault(ringOf(t, second, first))} {
		if plain, err := vault.Open(purpose, sealed); err != nil || !bytes.Equal(plain, secret) {
			t.Errorf("%s: %s, %v", name, plain, err)
		}
	}
	open := NewVault(ringOf(t, first))
	flipped := []byte(sealed)
	flipped[len(flipped)-3] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"another key":       func() ([]byte, error) { return NewVault(ringOf(t, second)).Open(purpose, sealed) },
		"another purpose":   func() ([]byte, error) { return open.Open("totp 2", sealed) },
		"a changed bit":     func() ([]byte, error) { return open.Open(purpose, string(flipped)) },
		"cut short":         func() ([]byte, error) { return open.Open(purpose, sealed[:len(sealed)-20]) },
		"nothing":           func() ([]byte, error) { return open.Open(purpose, "") },
		"no form":           func() ([]byte, error) { return open.Open(purpose, "totp") },
		"an unknown key":    func() ([]byte, error) { return open.Open(purpose, "sealed.00000000.AAAA") },
		"text that is none": func() ([]byte, error) { return open.Open(purpose, "sealed."+open.ring.signing().kid+".!!!") },
	} {
		if plain, err := try(); err == nil {
			t.Errorf("%s opened it: %q", name, plain)
		}
	}
}

// TestVaultWithoutAGivenKey: a lock whose key hangs beside it is none, and does not look like one.
func TestVaultWithoutAGivenKey(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ring := got(NewKeyring(t.Context(), n.db, nil))(t)
		stored := NewVault(ring).Seal("totp 1", []byte("secret"))
		if !strings.HasPrefix(stored, plainForm) {
			t.Errorf("stored as %s", stored)
		}
		// It is still read once a key is given.
		given := got(NewKeyring(t.Context(), n.db, testKey))(t)
		if plain, err := NewVault(given).Open("totp 1", stored); err != nil || string(plain) != "secret" {
			t.Errorf("%s, %v", plain, err)
		}
		if _, kept := given.named(ring.signing().kid); !kept {
			t.Error("the key that was kept in the database verifies no more")
		}
	})
}
