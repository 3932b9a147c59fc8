package models

// Limits of push subscriptions.
const (
	MaxPushSubscriptions = 10   // of one session, which is one browser: it has one, and may lose and renew it
	MaxPushEndpoint      = 2048 // bytes
)

// PushSubscription is a browser that is told of notices while no page of ours is open (RFC 8030).
type PushSubscription struct {
	ID          int64  `gorm:"primaryKey"`
	Endpoint    string // whoever knows it may send: it is logged nowhere
	Service     string // the endpoint's origin
	P256dh      string // the browser's public key, base64url (RFC 8291 §2.1)
	Auth        string // the secret it shares with us, base64url (RFC 8291 §2.2)
	SessionID   string // it goes with this session
	UserID      int64
	AfterOffset int64 // it is told of what came after this
	CreatedAt   Instant
}

// PushDelivery is a notice that is still to be pushed to one subscription.
type PushDelivery struct {
	ID             int64 `gorm:"primaryKey"`
	SubscriptionID int64
	Service        string
	LogOffset      int64
	CreatedAt      Instant // when the notice was published, or came back
	Attempts       int
	DueAt          Instant
	LeasedUntil    Instant // until then a node is at it
}
