package models

import "strings"

// MaxPasskeys is how many passkeys a person may have.
const MaxPasskeys = 20

// Passkey is a key pair that a person's device, or their keychain, signs with (W3C Web Authentication). Only the public
// half is known here.
type Passkey struct {
	ID            int64 `gorm:"primaryKey"`
	UserID        int64
	Name          string // the person's own
	CredentialID  []byte // by which the browser names it
	PublicKey     []byte // a COSE_Key (RFC 9052 §7)
	TransportList string `gorm:"column:transports"` // separated by single spaces
	Flags         uint8  // of the authenticator data, as last seen
	SignCount     uint32 // as last seen; 0 where the device does not count
	CreatedAt     Instant
	LastUsedAt    *Instant
}

// Transports splits the stored list: the ways to reach the device.
func (p *Passkey) Transports() []string { return strings.Fields(p.TransportList) }
