package services

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// FederationLifetime is how long somebody may take at the provider.
const FederationLifetime = 10 * time.Minute

// authTimeSlack is how far the provider's clock may be behind ours, where the password has to have been given after a
// session was locked. Within it a sign-in before the lock would be taken for one after it, if the provider did not ask
// for the password though it was told to.
const authTimeSlack = 30 * time.Second

// bySingleSignOn is the proof, for the record.
const bySingleSignOn = "single_sign_on"

// FederationSettings say which provider people sign in at, and what that means here.
type FederationSettings struct {
	Issuer        string
	ClientID      string
	ClientSecret  string // empty: a public client
	Name          string // what people call the provider
	RedirectURL   string // of the page that the provider sends people back to
	UsernameClaim string
	SignUp        bool // add people who are not known
	LockAtLogout  bool // a session whose person signed out at the provider is locked, and not ended
}

// Federation signs people in at an OpenID provider. That it is away is nobody's fault here: who is signed in stays so.
type Federation struct {
	db       *Database
	sessions *Sessions
	throttle *Throttle
	settings FederationSettings
	http     *http.Client
	log      *slog.Logger

	provider atomic.Pointer[provider]
	asking   singleflight.Group
}

// NewFederation makes the service. It does not ask the provider for anything yet.
func NewFederation(db *Database, s *Sessions, throttle *Throttle, settings FederationSettings, log *slog.Logger) *Federation {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &Federation{db: db, sessions: s, throttle: throttle, settings: settings, log: log,
		http: &http.Client{Timeout: providerTimeout, Transport: boundedTransport{transport}}}
}

// Name is what people call the provider.
func (f *Federation) Name() string { return f.settings.Name }

// Linked reports whether a person has signed in at the provider before, and so may prove there who they are.
func (f *Federation) Linked(ctx context.Context, userID int64) (linked bool, err error) {
	err = f.db.Read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM identities WHERE user_id = ? AND issuer = ?)", userID, f.settings.Issuer).Scan(&linked).Error
	return linked, err
}

// Unlink takes a person's identity away, for who has a new account at the provider, and ends what began there. The next one
// of their name is bound anew.
func (f *Federation) Unlink(ctx context.Context, username string) error {
	id, err := userID(f.db.Read.WithContext(ctx), username)
	if err != nil {
		return err
	}
	_, err = f.sessions.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		gone := tx.Exec("DELETE FROM identities WHERE user_id = ?", id)
		if gone.Error != nil || gone.RowsAffected == 0 {
			return nil, gone.Error
		}
		if err := f.db.record(tx, Act{Action: "identity.unlinked", UserID: id}); err != nil {
			return nil, err
		}
		return f.sessions.end(tx, models.ReasonAdmin, "user_id = ? AND oidc_sid IS NOT NULL", id)
	})
	return err
}

// What a sign-in at the provider is begun for.
const (
	federatedLogin            purpose = "oidc_login"
	federatedUnlock           purpose = "oidc_unlock"
	federatedReauthentication purpose = "oidc_reauthentication"
)

// begun is what is kept of a sign-in that is under way.
type begun struct {
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // PKCE (RFC 7636)
	Browser  string `json:"browser"`  // the hash of what the browser keeps
}

// Redirection sends a browser to the provider.
type Redirection struct {
	URL     string
	Browser string // a secret that the browser has to bring back, so that a sign-in ends where it began
}

// Login begins a sign-in. browser is the secret that the browser already has, if any: so two that are under way in
// two tabs do not get in each other's way.
func (f *Federation) Login(ctx context.Context, browser string) (*Redirection, error) {
	return f.begin(ctx, ceremony{Purpose: federatedLogin}, browser)
}

// Unlock begins a fresh sign-in that is to unlock the session.
func (f *Federation) Unlock(ctx context.Context, l *Live, browser string) (*Redirection, error) {
	return f.begin(ctx, ceremony{Purpose: federatedUnlock, UserID: &l.UserID, SessionID: l.ID}, browser, fresh...)
}

// Reauthenticate begins a fresh sign-in that is to prove that it is still the same person.
func (f *Federation) Reauthenticate(ctx context.Context, l *Live, browser string) (*Redirection, error) {
	return f.begin(ctx, ceremony{Purpose: federatedReauthentication, UserID: &l.UserID, SessionID: l.ID}, browser, fresh...)
}

// fresh asks the provider for the password though it knows the browser.
var fresh = []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0")}

func (f *Federation) begin(ctx context.Context, c ceremony, browser string, options ...oauth2.AuthCodeOption) (*Redirection, error) {
	if err := f.throttle.ceremony(cmp.Or(c.SessionID, ClientOf(ctx).IP)); err != nil {
		return nil, err
	}
	p, err := f.discover(ctx)
	if err != nil {
		return nil, err
	}
	if secret, err := base64.RawURLEncoding.DecodeString(browser); err != nil || len(secret) != sha256.Size {
		browser = randomText(sha256.Size)
	}
	kept := begun{Nonce: randomText(32), Verifier: oauth2.GenerateVerifier(), Browser: digestOf(browser)}
	data, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	c.Data = string(data)
	state, err := f.db.beginCeremony(ctx, c, FederationLifetime)
	if err != nil {
		return nil, err
	}
	options = append([]oauth2.AuthCodeOption{oidc.Nonce(kept.Nonce), oauth2.S256ChallengeOption(kept.Verifier)}, options...)
	return &Redirection{URL: p.oauth.AuthCodeURL(state, options...), Browser: browser}, nil
}

func digestOf(secret string) string { return base64.RawURLEncoding.EncodeToString(hashOf(secret)) }

func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

var (
	errNotSignedIn = models.Errorf(models.CodeUnauthenticated, "This sign-in did not come to its end; begin again.")
	errNoAccount   = models.Errorf(models.CodeForbidden, "You have no account here that this sign-in opens; ask an admin.")
	errNotTheSame  = models.Errorf(models.CodeUnauthenticated, "Somebody else signed in at the provider.")
)

// Returned is what a browser brings back from the provider.
type Returned struct {
	Code    string
	State   string
	Browser string // see [Redirection]
	Client  Client
	Live    *Live // of the cookie that came with it, if any
}

// Finish does what was begun: it starts a session, unlocks the one that began it, or notes that its person is still there.
// The cookie is empty where the session's is still good.
func (f *Federation) Finish(ctx context.Context, r Returned) (*Live, string, error) {
	c, err := f.db.finishCeremony(ctx, r.State, federatedLogin, federatedUnlock, federatedReauthentication)
	if errors.Is(err, models.ErrNotFound) {
		return nil, "", errNotSignedIn
	}
	if err != nil {
		return nil, "", err
	}
	var kept begun
	if err := json.Unmarshal([]byte(c.Data), &kept); err != nil {
		return nil, "", err
	}
	if !sameText(digestOf(r.Browser), kept.Browser) {
		return nil, "", errNotSignedIn
	}
	if c.Purpose != federatedLogin && (r.Live == nil || r.Live.ID != c.SessionID) {
		return nil, "", errNotSignedIn
	}
	p, err := f.discover(ctx)
	if err != nil {
		return nil, "", err
	}
	who, err := f.exchange(ctx, p, r.Code, &kept)
	if errors.Is(err, errNoToken) {
		f.log.WarnContext(ctx, "a sign-in at the provider was not believed", "error", err)
		return nil, "", f.db.refused(ctx, errNotSignedIn, f.failed(c, "not believed"))
	}
	if err != nil {
		return nil, "", err
	}
	switch c.Purpose {
	case federatedUnlock:
		return f.unlock(ctx, c, r.Live, who)
	case federatedReauthentication:
		return f.reauthenticate(ctx, c, r.Live, who)
	default:
		return f.login(ctx, c, &r, who)
	}
}

// failed is the record of a sign-in that was begun as c and came to nothing.
func (f *Federation) failed(c *ceremony, why string) Act {
	act := Act{Action: "sign_in.failed", Session: c.SessionID, Detail: map[string]any{"how": bySingleSignOn, "why": why}}
	switch c.Purpose {
	case federatedUnlock:
		act.Action = "unlock.failed"
	case federatedReauthentication:
		act.Action = "reauthentication.failed"
	}
	if c.UserID != nil {
		act.UserID = *c.UserID
	}
	return act
}

func (f *Federation) login(ctx context.Context, c *ceremony, r *Returned, who *federatedIdentity) (*Live, string, error) {
	user, err := f.person(ctx, who)
	if errors.Is(err, errNoAccount) {
		act := f.failed(c, "no account")
		if models.ValidName(who.username) {
			act.User = who.username
		}
		return nil, "", f.db.refused(ctx, errNoAccount, act)
	}
	if err != nil {
		return nil, "", err
	}
	l, cookie, err := f.sessions.start(ctx, user, r.Client, r.Live, bySingleSignOn)
	if err != nil {
		return nil, "", err
	}
	err = f.db.Write.WithContext(ctx).Exec("UPDATE sessions SET oidc_sid = ? WHERE id = ?", who.session, l.ID).Error
	if err == nil {
		err = f.overtaken(ctx, c, l, who)
	}
	return l, cookie, err
}

// person gives the user that an identity opens: the one it is bound to, else the one of its name, who is bound to it
// from then on, else a new one.
func (f *Federation) person(ctx context.Context, who *federatedIdentity) (*models.User, error) {
	user, err := f.findOrBind(ctx, who)
	if isDuplicate(err) { // bound, or named so, by another request a moment ago
		user, err = f.findOrBind(ctx, who)
	}
	if isDuplicate(err) {
		err = errNoAccount
	}
	return user, err
}

func (f *Federation) findOrBind(ctx context.Context, who *federatedIdentity) (user *models.User, err error) {
	err = f.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		user = &models.User{}
		err := tx.Take(user, "id = (SELECT user_id FROM identities WHERE issuer = ? AND subject = ?)", f.settings.Issuer, who.subject).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = f.bind(tx, user, who)
		}
		if err == nil && user.DisabledAt != nil {
			err = errNoAccount // which also undoes a binding
		}
		return err
	})
	return user, err
}

// bind finds or makes the person of an identity that is new here. One who is bound already stays with the identity they
// have: the unique index refuses another of the same issuer.
func (f *Federation) bind(tx *gorm.DB, user *models.User, who *federatedIdentity) error {
	if !models.ValidName(who.username) {
		return errNoAccount
	}
	err := tx.Take(user, "lower(username) = lower(?)", who.username).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		if !f.settings.SignUp {
			return errNoAccount
		}
		err = f.signUp(tx, user, who)
	}
	if err != nil {
		return err
	}
	if err := tx.Exec("INSERT INTO identities (issuer, subject, user_id, created_at) VALUES (?, ?, ?, "+f.db.now()+")", f.settings.Issuer, who.subject, user.ID).Error; err != nil {
		return err
	}
	return f.db.record(tx, Act{Action: "identity.linked", Actor: f.actor(tx.Statement.Context), UserID: user.ID, Detail: map[string]any{"issuer": f.settings.Issuer}})
}

// signUp adds a plain user without a password: what fits no password is an empty hash.
func (f *Federation) signUp(tx *gorm.DB, user *models.User, who *federatedIdentity) error {
	display := strings.TrimSpace(strings.ReplaceAll(who.name, "\x00", ""))
	if display == "" || utf8.RuneCountInString(display) > models.MaxDisplayName {
		display = who.username
	}
	err := tx.Raw(`INSERT INTO users (username, display_name, role, password_hash, created_at, joined_offset)
		SELECT ?, ?, ?, '', `+f.db.now()+`, head FROM log_head RETURNING *`, who.username, display, models.RoleUser).Scan(user).Error
	if err != nil {
		return err
	}
	return f.db.record(tx, Act{Action: "user.added", Actor: f.actor(tx.Statement.Context), UserID: user.ID, Detail: map[string]any{"how": bySingleSignOn}})
}

// actor is the provider as who does something, from where the request came.
func (f *Federation) actor(ctx context.Context) *Actor {
	return &Actor{Type: ActorProvider, Name: f.settings.Name, Client: ClientOf(ctx)}
}

// sameAndFresh holds a proof to the session's person, and to the time since it was asked for.
func (f *Federation) sameAndFresh(ctx context.Context, c *ceremony, who *federatedIdentity) (same, isFresh bool, err error) {
	err = f.db.Write.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM identities WHERE issuer = ? AND subject = ? AND user_id = ?)",
		f.settings.Issuer, who.subject, c.UserID).Scan(&same).Error
	return same, !who.authTime.Add(authTimeSlack).Before(c.CreatedAt.Time()), err
}

func (f *Federation) unlock(ctx context.Context, c *ceremony, l *Live, who *federatedIdentity) (*Live, string, error) {
	locked, active, err := f.sessions.unlockable(ctx, l)
	if err != nil || active != nil {
		return active, "", err
	}
	same, isFresh, err := f.sameAndFresh(ctx, c, who)
	if err != nil {
		return nil, "", err
	}
	if !same {
		attempt, err := f.throttle.proof(l.ID)
		if err != nil {
			return nil, "", err
		}
		return nil, "", f.sessions.countWrongUnlock(ctx, locked, attempt, errNotTheSame)
	}
	if !isFresh {
		return nil, "", f.db.refused(ctx, errNotSignedIn, f.failed(c, "not fresh"))
	}
	// Before it opens: a sign-out at the provider that comes now has to find it. A session that began otherwise stays so.
	err = f.db.Write.WithContext(ctx).Exec("UPDATE sessions SET oidc_sid = ? WHERE id = ? AND oidc_sid IS NOT NULL", who.session, l.ID).Error
	if err != nil {
		return nil, "", err
	}
	opened, cookie, err := f.sessions.reopen(ctx, locked, bySingleSignOn)
	if err == nil {
		err = f.overtaken(ctx, c, opened, who)
	}
	return opened, cookie, err
}

func (f *Federation) reauthenticate(ctx context.Context, c *ceremony, l *Live, who *federatedIdentity) (*Live, string, error) {
	same, isFresh, err := f.sameAndFresh(ctx, c, who)
	switch {
	case err != nil:
		return nil, "", err
	case !same:
		return nil, "", f.db.refused(ctx, errNotTheSame, f.failed(c, "somebody else"))
	case !isFresh:
		return nil, "", f.db.refused(ctx, errNotSignedIn, f.failed(c, "not fresh"))
	}
	if err := f.sessions.markProved(ctx, l, bySingleSignOn); err != nil { // which leaves one alone that is not active
		return nil, "", err
	}
	now, err := f.sessions.read(ctx, l.ID)
	if err == nil && now.Verdict.State != models.SessionActive {
		err = refusal(now)
	}
	return now, "", err
}
