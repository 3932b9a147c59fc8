// Package handlers speaks HTTP: one file a noun, each handler identity, decode, call, respond. Every
// route stands in this file, under those who may call it.
package handlers

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// Server is what the handlers work with.
type Server struct {
	Audit       *services.Audit
	Webhooks    *services.Webhooks
	Users       *services.Users
	Groups      *services.Groups
	Keys        *services.Keys
	Sessions    *services.Sessions
	Passkeys    *services.Passkeys
	Factors     *services.Factors
	Notices     *services.Notices
	Tasks       *services.Tasks
	Recipients  *services.Recipients
	Preferences *services.Preferences
	Federation  *services.Federation // nil: nobody signs in at a provider
	Push        *services.Push
	Streams     *services.Streams
	Tokens      *services.Tokens
	Health      *Health
	Metrics     *services.Metrics
	Nodes       *services.Nodes
	Connections *middleware.Connections
	Log         *slog.Logger

	PublicURL      *url.URL // scheme and host
	Secure         bool     // browsers come over https
	Origins        middleware.Origins
	TrustedProxies []netip.Prefix
	Version        string
	Gotify         bool // its senders may publish here
	Ntfy           bool

	filling  atomic.Bool // the clock fills somebody's stream
	requests *middleware.Requests
}

// Router puts everything together.
func (s *Server) Router() (http.Handler, error) {
	engine, err := s.engine()
	if err != nil {
		return nil, err
	}
	crossOrigin, err := s.Origins.CrossOrigin(s.Log)
	if err != nil {
		return nil, err
	}
	guarded := engine.Group("", middleware.NoStore(), s.Origins.CORS(s.Log))
	api := guarded.Group("", crossOrigin, middleware.Timeout(), middleware.Authenticate(s.Sessions, s.Keys, s.cookies(), s.Log))
	described := humagin.NewWithGroup(engine, api, s.describe())
	s.routes(described)
	complete(described.OpenAPI())
	explain(described.OpenAPI())
	removeUnused(described.OpenAPI())
	s.streamRoutes(guarded.Group("/sse", s.Origins.StreamOrigin(s.Log), s.elsewhere))
	s.Health.routes(engine)

	// A preflight has no route of its own, so it comes here; so does a method that is not there.
	engine.NoMethod(middleware.NoStore(), s.Origins.CORS(s.Log), func(c *gin.Context) { s.refuse(c, errNoMethod) })
	engine.NoRoute(middleware.Timeout(), s.peers, s.page())
	return engine, nil
}

// engine is Gin with what every request passes.
func (s *Server) engine() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.HandleMethodNotAllowed = true
	proxies := make([]string, len(s.TrustedProxies))
	for i, p := range s.TrustedProxies {
		proxies[i] = p.String()
	}
	if err := engine.SetTrustedProxies(proxies); err != nil {
		return nil, err
	}
	s.requests = middleware.NewRequests()
	engine.Use(middleware.Trace(), s.requests.Count(), middleware.Log(s.Log), middleware.Recover(s.Log), middleware.Headers(s.Secure),
		middleware.CleanAddress(s.Log), middleware.NoCredentialInQuery(s.Log, s.isForPeer), middleware.WholeQuery(s.Log))
	return engine, nil
}

var (
	errNoRoute  = models.Errorf(models.CodeNotFound, "There is nothing here.")
	errNoMethod = models.Errorf(models.CodeMethodNotAllowed, "This method is not possible here.")
)

func (s *Server) refuse(c *gin.Context, err error) { middleware.Refuse(c, s.Log, err) }

func (s *Server) cookies() middleware.Cookies { return middleware.Cookies{Secure: s.Secure} }

func (s *Server) describe() huma.Config {
	config := huma.DefaultConfig("Belfry", s.Version)
	config.Info.Description = overview
	config.Info.License = &huma.License{Name: "MIT", Identifier: "MIT"}
	config.Servers = []*huma.Server{{URL: "/"}}
	config.OpenAPIPath = "/api/openapi"
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no "$schema" in answers
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session":   {Type: "apiKey", In: "cookie", Name: s.cookies().Name(), Description: "What signing in gives a browser. A write has to come from this origin, or from one of CORS_ORIGINS."},
		"key":       {Type: "http", Scheme: "bearer", BearerFormat: "bfk_…", Description: "An API key. Each operation names the scope that lets it in."},
		"signature": {Type: "apiKey", In: "header", Name: middleware.SignatureHeader, Description: "sha256= and the HMAC-SHA-256 of the body under the secret of a key's hook, in hexadecimal digits."},
	}
	return config
}

// routes is every route of the JSON API, grouped by who may call it.
func (s *Server) routes(api huma.API) {
	anyone := middleware.Rule{Open: true}
	route(s, api, anyone, http.MethodPost, "/api/v1/login", s.login)
	route(s, api, anyone, http.MethodGet, "/api/v1/login", s.getLogin)
	route(s, api, anyone, http.MethodPost, "/api/v1/login/passkey/options", s.beginPasskeyLogin)
	route(s, api, anyone, http.MethodPost, "/api/v1/login/passkey", s.loginByPasskey)
	route(s, api, anyone, http.MethodPost, "/api/v1/password/reset", s.resetPassword, http.StatusNoContent)
	route(s, api, anyone, http.MethodGet, "/api/v1/session/check", s.checkSession, http.StatusNoContent)

	route(s, api, anyone, http.MethodPost, "/api/v1/login/oidc", s.beginFederatedLogin)
	route(s, api, anyone, http.MethodPost, "/api/v1/login/oidc/finish", s.finishFederated)
	s.backchannelRoute(api, anyone, "/api/v1/oidc/backchannel-logout")

	lockedToo := middleware.Rule{User: true, Locked: true, Passive: true}
	route(s, api, lockedToo, http.MethodGet, "/api/v1/session", s.getSession)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/logout", s.logout, http.StatusNoContent)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/session/lock", s.lockSession)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/session/unlock", s.unlockSession)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/session/unlock/oidc", s.beginFederatedUnlock)
	route(s, api, lockedToo, http.MethodGet, "/api/v1/session/unlock", s.getUnlock)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/session/unlock/passkey/options", s.beginPasskeyUnlock)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/session/unlock/passkey", s.unlockByPasskey)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/stream-tickets", s.mintTicket, http.StatusCreated)

	passive := middleware.Rule{User: true, Passive: true}
	route(s, api, passive, http.MethodPost, "/api/v1/session/activity", s.touchSession)

	user := middleware.Rule{User: true}
	route(s, api, user, http.MethodPost, "/api/v1/session/reauthenticate", s.reauthenticate, http.StatusNoContent)
	route(s, api, user, http.MethodPost, "/api/v1/session/reauthenticate/oidc", s.beginFederatedReauthentication)
	route(s, api, user, http.MethodPost, "/api/v1/session/reauthenticate/passkey/options", s.beginPasskeyReauthentication)
	route(s, api, user, http.MethodPost, "/api/v1/session/reauthenticate/passkey", s.reauthenticateByPasskey, http.StatusNoContent)
	route(s, api, user, http.MethodGet, "/api/v1/passkeys", s.listPasskeys)
	route(s, api, user, http.MethodPost, "/api/v1/passkeys/options", s.beginPasskey)
	route(s, api, user, http.MethodPost, "/api/v1/passkeys", s.addPasskey, http.StatusCreated)
	route(s, api, user, http.MethodDelete, "/api/v1/passkeys/{id}", s.removePasskey, http.StatusNoContent)
	route(s, api, user, http.MethodPost, "/api/v1/password", s.changePassword, http.StatusNoContent)
	route(s, api, user, http.MethodGet, "/api/v1/factors", s.getFactors)
	route(s, api, user, http.MethodPost, "/api/v1/totp", s.beginTOTP, http.StatusCreated)
	route(s, api, user, http.MethodPost, "/api/v1/totp/confirm", s.confirmTOTP)
	route(s, api, user, http.MethodDelete, "/api/v1/totp", s.disableTOTP, http.StatusNoContent)
	route(s, api, user, http.MethodPost, "/api/v1/recovery-codes", s.renewRecoveryCodes, http.StatusCreated)
	route(s, api, user, http.MethodGet, "/api/v1/sessions", s.listSessions)
	route(s, api, user, http.MethodDelete, "/api/v1/sessions", s.endOtherSessions, http.StatusNoContent)
	route(s, api, user, http.MethodPost, "/api/v1/sessions/{id}/lock", s.lockOwnSession)
	route(s, api, user, http.MethodDelete, "/api/v1/sessions/{id}", s.endOwnSession, http.StatusNoContent)
	route(s, api, user, http.MethodGet, "/api/v1/notices", s.listNotices)
	route(s, api, user, http.MethodGet, "/api/v1/notices/{id}", s.getNotice)
	route(s, api, user, http.MethodPatch, "/api/v1/notices/{id}", s.patchNotice)
	route(s, api, user, http.MethodPost, "/api/v1/notices/state", s.markNotices)
	route(s, api, user, http.MethodGet, "/api/v1/preferences", s.getPreferences)
	route(s, api, user, http.MethodPut, "/api/v1/preferences", s.putPreferences)
	route(s, api, user, http.MethodPatch, "/api/v1/profile", s.patchProfile)

	route(s, api, user, http.MethodGet, "/api/v1/push/key", s.getPushKey)
	route(s, api, user, http.MethodPost, "/api/v1/push/subscriptions", s.subscribePush, http.StatusCreated)
	route(s, api, user, http.MethodDelete, "/api/v1/push/subscriptions", s.unsubscribePush, http.StatusNoContent)

	sender := middleware.Rule{User: true, Scope: models.ScopeNoticesWrite}
	publisher := middleware.Rule{User: true, Scope: models.ScopeNoticesWrite, Metered: true}
	s.publishRoute(api, publisher, "/api/v1/notices")
	s.batchRoute(api, publisher, "/api/v1/notices/batch")
	route(s, api, sender, http.MethodGet, "/api/v1/recipients", s.findRecipients)
	route(s, api, sender, http.MethodGet, "/api/v1/notices/sent", s.listSent)
	route(s, api, sender, http.MethodDelete, "/api/v1/notices/{id}", s.withdrawNotice, http.StatusNoContent)
	route(s, api, sender, http.MethodGet, "/api/v1/notices/{id}/receipts", s.listReceipts)

	taskReader := middleware.Rule{User: true, Scope: models.ScopeTasksWrite}
	route(s, api, taskReader, http.MethodGet, "/api/v1/tasks", s.listTasks)
	route(s, api, taskReader, http.MethodGet, "/api/v1/tasks/{id}", s.getTask)
	s.taskLogRoute(api, taskReader, "/api/v1/tasks/{id}/log")

	taskWriter := middleware.Rule{Admin: true, Scope: models.ScopeTasksWrite}
	route(s, api, taskWriter, http.MethodPost, "/api/v1/tasks", s.createTask, http.StatusCreated)
	s.appendTaskRoute(api, taskWriter, "/api/v1/tasks/{id}/log")
	route(s, api, taskWriter, http.MethodPost, "/api/v1/tasks/{id}/finish", s.finishTask)

	machine := middleware.Rule{Scope: models.ScopeNoticesWrite}
	route(s, api, machine, http.MethodPost, "/api/v1/hooks/alertmanager", s.receiveAlerts)
	route(s, api, machine, http.MethodPost, "/api/v1/hooks/grafana", s.receiveAlerts)
	route(s, api, machine, http.MethodPost, "/api/v1/hooks/custom", s.receiveCustom)
	githubRoute(s, api, machine, "/api/v1/hooks/github", s.receiveGitHub)

	signed := middleware.Rule{Scope: models.ScopeNoticesWrite, Signed: true}
	githubRoute(s, api, signed, "/api/v1/hooks/github/{id}", s.receiveSignedGitHub)

	guard := middleware.Rule{Admin: true, Scope: models.ScopeSessionsWrite}
	route(s, api, guard, http.MethodPost, "/api/v1/users/{username}/sessions/lock", s.lockUserSessions)
	route(s, api, guard, http.MethodDelete, "/api/v1/users/{username}/sessions", s.endUserSessions, http.StatusNoContent)

	route(s, api, guard, http.MethodPost, "/api/v1/everyone/sessions/lock", s.lockEverySession)
	route(s, api, guard, http.MethodDelete, "/api/v1/everyone/sessions", s.endEverySession, http.StatusNoContent)

	host := middleware.Rule{Scope: models.ScopeTicketsWrite}
	route(s, api, host, http.MethodPost, "/api/v1/users/{username}/stream-tickets", s.mintTicketFor, http.StatusCreated)

	registrar := middleware.Rule{Admin: true, Scope: models.ScopeUsersWrite}
	route(s, api, registrar, http.MethodGet, "/api/v1/users", s.listUsers)
	route(s, api, registrar, http.MethodPost, "/api/v1/users", s.addUser, http.StatusCreated)
	route(s, api, registrar, http.MethodGet, "/api/v1/users/{username}", s.getUser)
	route(s, api, registrar, http.MethodPatch, "/api/v1/users/{username}", s.patchUser)
	route(s, api, registrar, http.MethodPut, "/api/v1/users/{username}", s.putUser)
	answersCreatedToo(api.OpenAPI().Paths["/api/v1/users/{username}"].Put)
	route(s, api, registrar, http.MethodDelete, "/api/v1/users/{username}", s.deleteUser, http.StatusNoContent)
	route(s, api, registrar, http.MethodPost, "/api/v1/users/{username}/reset-link", s.makeReset, http.StatusCreated)
	route(s, api, registrar, http.MethodDelete, "/api/v1/users/{username}/factors", s.removeFactors, http.StatusNoContent)
	route(s, api, registrar, http.MethodDelete, "/api/v1/users/{username}/identity", s.unlinkIdentity, http.StatusNoContent)
	route(s, api, registrar, http.MethodGet, "/api/v1/groups", s.listGroups)
	route(s, api, registrar, http.MethodPost, "/api/v1/groups", s.addGroup, http.StatusCreated)
	route(s, api, registrar, http.MethodGet, "/api/v1/groups/{name}", s.getGroup)
	route(s, api, registrar, http.MethodPatch, "/api/v1/groups/{name}", s.patchGroup)
	route(s, api, registrar, http.MethodDelete, "/api/v1/groups/{name}", s.deleteGroup, http.StatusNoContent)
	route(s, api, registrar, http.MethodPut, "/api/v1/groups/{name}/members/{username}", s.joinGroup)
	route(s, api, registrar, http.MethodDelete, "/api/v1/groups/{name}/members/{username}", s.leaveGroup, http.StatusNoContent)
	route(s, api, registrar, http.MethodGet, "/api/v1/keys", s.listKeys)
	route(s, api, registrar, http.MethodPost, "/api/v1/keys", s.createKey, http.StatusCreated)
	route(s, api, registrar, http.MethodDelete, "/api/v1/keys/{id}", s.revokeKey, http.StatusNoContent)

	admin := middleware.Rule{Admin: true}
	route(s, api, admin, http.MethodGet, "/api/v1/audit", s.listAudit)
	s.auditExportRoute(api, admin, "/api/v1/audit/export")
	route(s, api, admin, http.MethodGet, "/api/v1/everyone/sessions", s.listAllSessions)
	route(s, api, admin, http.MethodPost, "/api/v1/everyone/sessions/{id}/lock", s.lockAnySession)
	route(s, api, admin, http.MethodDelete, "/api/v1/everyone/sessions/{id}", s.endAnySession, http.StatusNoContent)
	route(s, api, admin, http.MethodGet, "/api/v1/streams", s.listStreams)
	route(s, api, admin, http.MethodGet, "/api/v1/stats", s.getStats)
	route(s, api, admin, http.MethodGet, "/api/v1/log-level", s.getLogLevel)
	route(s, api, admin, http.MethodPut, "/api/v1/log-level", s.putLogLevel)
	route(s, api, admin, http.MethodGet, "/api/v1/webhooks", s.listWebhooks)
	route(s, api, admin, http.MethodPost, "/api/v1/webhooks", s.createWebhook, http.StatusCreated)
	route(s, api, admin, http.MethodDelete, "/api/v1/webhooks/{id}", s.deleteWebhook, http.StatusNoContent)
}

// streamRoutes are the streams. Each finds out for itself who asks: by cookie or by ticket.
func (s *Server) streamRoutes(sse *gin.RouterGroup) {
	sse.GET("/stream", s.stream(services.ClassAll))
	sse.GET("/notice", s.stream(services.ClassNotice|services.ClassNoticeState))
	sse.GET("/lock", s.stream(0))
	sse.GET("/tasks/:id", s.taskStream)
	sse.GET("/stats", s.statsStream)
	sse.GET("/clock", s.clock)
}
