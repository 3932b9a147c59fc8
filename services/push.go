package services

import (
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/SherClockHolmes/webpush-go"
	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Push tells browsers of notices while no page of ours is open: Web Push (RFC 8030), encrypted for the browser (RFC 8291),
// from a sender whom the push service can tell (RFC 8292).
type Push struct {
	db       *Database
	sessions *Sessions
	notices  *Notices
	chosen   *Preferences
	vault    *Vault
	hosts    pushHosts
	contact  string
	batch    int // deliveries that are written at once
	client   *http.Client
	log      *slog.Logger
	counts   [pushOutcomes]atomic.Int64

	public string // the key that browsers subscribe for, base64url

	lanes *lanes[string] // by push service
	mu    sync.Mutex
	seen  int64 // nobody has subscribed for what lies in the log before this; 0 = not known
}

// PushSettings say where a push may go, and who sends it.
type PushSettings struct {
	// Hosts are the push services: "HOST", or "*.HOST" for every name below it, both by https on its standard port and at
	// a public address; or an origin, which may be anywhere.
	Hosts []string
	// Contact is where a push service finds us: https://… or mailto:… (RFC 8292 §2.1).
	Contact string
}

// NewPush makes the service, and the installation's keys where there are none yet.
func NewPush(ctx context.Context, db *Database, j *journal.Journal, s *Sessions, n *Notices, chosen *Preferences, v *Vault, settings PushSettings, log *slog.Logger) (*Push, error) {
	hosts := newPushHosts(settings.Hosts)
	// The library puts "mailto:" before all that is no https address.
	p := &Push{db: db, sessions: s, notices: n, chosen: chosen, vault: v, hosts: hosts, contact: strings.TrimPrefix(settings.Contact, "mailto:"),
		client: hosts.client(), batch: pushSpread, log: log, lanes: newLanes[string]("pushes", log)}
	var err error
	if p.public, err = p.settleKeys(ctx); err != nil {
		return nil, err
	}
	j.Observe(func(e *journal.Entry) {
		if (e.Kind == kindNotice || e.Kind == kindNoticeState && e.Actor == clockActor) && p.lanes.some.Load() {
			p.lanes.nudge()
		}
	}, func() { p.lookAnew(); p.lanes.nudge() })
	return p, nil
}

// vapidPurpose is what the private key is sealed for.
const vapidPurpose = "vapid"

// settleKeys makes the keys if there are none. Of two nodes that start at once one wins, and both read its keys.
func (p *Push) settleKeys(ctx context.Context) (public string, err error) {
	private, fresh, err := webpush.GenerateVAPIDKeys()
	if err != nil {
		return "", err
	}
	db := p.db.Write.WithContext(ctx)
	err = db.Exec("INSERT INTO vapid_keys (id, public_key, private_key, created_at) VALUES (1, ?, ?, "+p.db.now()+") ON CONFLICT DO NOTHING",
		fresh, p.vault.Seal(vapidPurpose, []byte(private))).Error
	if err != nil {
		return "", err
	}
	return public, db.Raw("SELECT public_key FROM vapid_keys").Scan(&public).Error
}

// privateKey is opened for each use, for it may have been sealed anew.
func (p *Push) privateKey(ctx context.Context) (string, error) {
	var stored string
	if err := p.db.Read.WithContext(ctx).Raw("SELECT private_key FROM vapid_keys").Scan(&stored).Error; err != nil {
		return "", err
	}
	private, err := p.vault.Open(vapidPurpose, stored)
	return string(private), err
}

// Key is the public key that browsers subscribe for: an uncompressed point of P-256, base64url (RFC 8292 §3.2).
func (p *Push) Key() string { return p.public }

// NewPushSubscription is what a browser's PushSubscription.toJSON() gives.
type NewPushSubscription struct {
	Endpoint string
	P256dh   string
	Auth     string
}

// Subscribe has a browser told of notices for as long as its session lasts. The same endpoint again is the same browser:
// it belongs to the new session from then on.
func (p *Push) Subscribe(ctx context.Context, l *Live, n NewPushSubscription, once Repeatable) (replayed bool, err error) {
	service, err := p.check(n)
	if err != nil {
		return false, err
	}
	made, replayed, err := p.db.createOnce(ctx, once, func(tx *gorm.DB) (id int64, err error) {
		if err := p.sessions.stillActive(tx, l); err != nil {
			return 0, err // or it would be left behind by a session that has just ended
		}
		head, err := journal.HeadIn(tx)
		if err != nil {
			return 0, err
		}
		var others int64
		if err := tx.Raw("SELECT count(*) FROM push_subscriptions WHERE session_id = ? AND endpoint <> ?", l.ID, n.Endpoint).Scan(&others).Error; err != nil {
			return 0, err
		}
		if others >= models.MaxPushSubscriptions {
			return 0, models.Errorf(models.CodeConflict, "This session has as many subscriptions as it can have.")
		}
		// Who subscribes again in the same session is told of all since the first time.
		err = tx.Raw(`INSERT INTO push_subscriptions (endpoint, service, p256dh, auth, session_id, user_id, after_offset, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, `+p.db.now()+`)
			ON CONFLICT (endpoint) DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth, user_id = excluded.user_id, session_id = excluded.session_id, created_at = excluded.created_at,
			after_offset = CASE WHEN push_subscriptions.session_id = excluded.session_id THEN push_subscriptions.after_offset ELSE excluded.after_offset END RETURNING id`,
			n.Endpoint, service, n.P256dh, n.Auth, l.ID, l.UserID, head.Offset).Scan(&id).Error
		return id, err
	})
	if err != nil {
		return false, err
	}
	p.lanes.some.Store(true)
	if replayed {
		err = p.db.Write.WithContext(ctx).Select("id").Take(&models.PushSubscription{}, "id = ?", made).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = errGoneAgain
		}
	}
	return replayed, err
}

// The sizes of what a browser subscribes with (RFC 8291 §3.2): a longer secret would be no more of one.
const pushAuthBytes = 16

func (p *Push) check(n NewPushSubscription) (service string, err error) {
	var faults []models.FieldError
	service, allowed := p.hosts.service(n.Endpoint)
	if !allowed {
		faults = append(faults, models.FieldError{Field: "endpoint", Detail: "An address at a push service that this server sends to."})
	}
	point, err := base64.RawURLEncoding.DecodeString(n.P256dh)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(point)
	}
	if err != nil {
		faults = append(faults, models.FieldError{Field: "keys.p256dh", Detail: "An uncompressed point of P-256, base64url."})
	}
	if secret, err := base64.RawURLEncoding.DecodeString(n.Auth); err != nil || len(secret) != pushAuthBytes {
		faults = append(faults, models.FieldError{Field: "keys.auth", Detail: "16 bytes, base64url."})
	}
	return service, refuse(faults)
}

// Unsubscribe has a browser of the user's told of nothing any more. One that was not told is none the less so.
func (p *Push) Unsubscribe(ctx context.Context, userID int64, endpoint string) error {
	return p.db.Write.WithContext(ctx).Exec("DELETE FROM push_subscriptions WHERE endpoint = ? AND user_id = ?", endpoint, userID).Error
}

// unsubscribeEnded goes with every end of a session, in its transaction: nothing is pushed to who has signed out.
func unsubscribeEnded(tx *gorm.DB, sessions []changed) error {
	var ended []string
	for i := range sessions {
		if sessions[i].State == models.SessionEnded {
			ended = append(ended, sessions[i].ID)
		}
	}
	if len(ended) == 0 {
		return nil
	}
	return tx.Exec("DELETE FROM push_subscriptions WHERE session_id IN ?", ended).Error
}
