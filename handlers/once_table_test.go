package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"belfry/models"
)

// How a POST bears being sent twice, where nobody knows whether the first arrived.
const (
	// keyed: the same request under its Idempotency-Key gets the same answer and changes nothing. It is tried here.
	keyed = ""
	// keyedAlso names no body that could be sent twice here; those of passkeys, of hooks and of the browser's subscription do.
	keyedAlso = "kept under its Idempotency-Key, shown by a test of its own"

	sameBody   = "the same body gets the same answer, under whatever header: what is signed is the body alone; shown by a test of its own"
	sameAgain  = "what it sets is as before"
	signsIn    = "it proves who somebody is: to remember its answer would be to keep a cookie"
	takesPlace = "a newer one takes the place of the one before, and to remember its answer would be to keep the secret in it"
	expires    = "what it makes is kept for the minutes until it is used, or not kept at all"
	oneSecond  = "the second is told that it was done: 409, or 422 for a token or code that is used up"
)

// repeats has every POST there is.
var repeats = map[string]string{
	"/api/v1/notices":            keyed,
	"/api/v1/notices/batch":      keyed,
	"/api/v1/users":              keyed,
	"/api/v1/groups":             keyed,
	"/api/v1/keys":               keyed,
	"/api/v1/webhooks":           keyed,
	"/api/v1/tasks":              keyed,
	"/api/v1/tasks/:id/log":      keyed,
	"/api/v1/passkeys":           keyedAlso,
	"/api/v1/push/subscriptions": keyedAlso,

	"/api/v1/hooks/alertmanager": keyedAlso,
	"/api/v1/hooks/grafana":      keyedAlso,
	"/api/v1/hooks/custom":       keyedAlso,
	"/api/v1/hooks/github":       sameBody,
	"/api/v1/hooks/github/:id":   sameBody,

	"/api/v1/notices/state":                 sameAgain,
	"/api/v1/logout":                        sameAgain,
	"/api/v1/session/lock":                  sameAgain,
	"/api/v1/session/activity":              sameAgain,
	"/api/v1/sessions/:id/lock":             sameAgain,
	"/api/v1/users/:username/sessions/lock": sameAgain,
	"/api/v1/everyone/sessions/lock":        sameAgain,
	"/api/v1/everyone/sessions/:id/lock":    sameAgain,
	"/api/v1/oidc/backchannel-logout":       sameAgain,

	"/api/v1/login":                                  signsIn,
	"/api/v1/login/passkey":                          signsIn,
	"/api/v1/login/oidc/finish":                      signsIn,
	"/api/v1/session/unlock":                         signsIn,
	"/api/v1/session/unlock/passkey":                 signsIn,
	"/api/v1/session/reauthenticate":                 signsIn,
	"/api/v1/session/reauthenticate/passkey":         signsIn,
	"/api/v1/password":                               signsIn,
	"/api/v1/totp":                                   takesPlace,
	"/api/v1/recovery-codes":                         takesPlace,
	"/api/v1/users/:username/reset-link":             takesPlace,
	"/api/v1/password/reset":                         oneSecond,
	"/api/v1/totp/confirm":                           oneSecond,
	"/api/v1/tasks/:id/finish":                       oneSecond,
	"/api/v1/stream-tickets":                         expires,
	"/api/v1/users/:username/stream-tickets":         expires,
	"/api/v1/login/oidc":                             expires,
	"/api/v1/login/passkey/options":                  expires,
	"/api/v1/session/unlock/oidc":                    expires,
	"/api/v1/session/unlock/passkey/options":         expires,
	"/api/v1/session/reauthenticate/oidc":            expires,
	"/api/v1/session/reauthenticate/passkey/options": expires,
	"/api/v1/passkeys/options":                       expires,
}

// TestEveryPostMayBeSentTwice holds each POST to what the table says of it, and the API's description to the table.
func TestEveryPostMayBeSentTwice(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("target", models.RoleUser)
		cast := s.newCast()
		s.nobody().get("/api/v1/session").want(401) // reads the description
		for _, route := range s.engine.Routes() {
			if route.Method != http.MethodPost {
				continue
			}
			how, known := repeats[route.Path]
			if !known {
				s.Errorf("POST %s has no row in the table: what becomes of it when it is sent twice?", route.Path)
				continue
			}
			if takes := s.takesKey(route.Path); takes != (how == keyed || how == keyedAlso) {
				s.Errorf("POST %s: by the table %q; that it takes an Idempotency-Key is described: %v", route.Path, how, takes)
			}
			if how == keyed {
				cast.sentTwice(route.Path)
			}
		}
		for path := range repeats {
			if !slices.ContainsFunc(s.engine.Routes(), func(r gin.RouteInfo) bool { return r.Method == http.MethodPost && r.Path == path }) {
				s.Errorf("the table has %s, the router has not", path)
			}
		}
	})
}

// sentTwice makes the same request twice, and looks at what the second has changed.
func (c *cast) sentTwice(path string) {
	c.Helper()
	a := c.actor(admin)
	r := table["POST "+path]
	body := fill(r.body, map[string]string{"$user": "target", "$fresh": fresh("new")})
	asker := a.client.with("Idempotency-Key", fresh("twice "))
	address := strings.Replace(path, ":id/log", a.task+"/log?offset=0", 1)
	first := asker.post(address, body).want(r.ok)
	before := c.lasting()
	again := asker.post(address, body).want(r.ok)
	if string(again.body) != string(first.body) || first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
		c.Errorf("POST %s: first %s, again %q %s", path, first.body, again.header.Get("Idempotency-Replayed"), again.body)
	}
	if after := c.lasting(); !slices.Equal(before, after) {
		c.Errorf("POST %s has done something twice: %d rows, and then %d", path, len(before), len(after))
	}
	if other := a.client.post(address, body); other.status == r.ok && slices.Equal(before, c.lasting()) {
		c.Errorf("POST %s without a key makes nothing either: the test shows nothing", path)
	}
}

// lasting is the database but for the sessions, whose time of the last activity is written down a little later.
func (c *cast) lasting() []string {
	return slices.DeleteFunc(c.dump(), func(row string) bool { return strings.HasPrefix(row, "sessions ") })
}

// takesKey reports whether the description has the header for this route.
func (s *site) takesKey(path string) bool {
	s.Helper()
	_, op := operation(s.nobody().request(http.MethodPost, path, nil))
	if op == nil {
		s.Fatalf("POST %s is not described", path)
	}
	return op.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
}
