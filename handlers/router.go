// Package handlers speaks HTTP: one file a noun, each handler identity, decode, call, respond. Every
// route stands in this file, under those who may call it.
package handlers

import (
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// Server is what the handlers work with.
type Server struct {
	Users      *services.Users
	Groups     *services.Groups
	Keys       *services.Keys
	Sessions   *services.Sessions
	Notices    *services.Notices
	Recipients *services.Recipients
	Streams    *services.Streams
	Tokens     *services.Tokens
	Health     *Health
	Log        *slog.Logger

	Secure         bool // browsers come over https
	Origins        middleware.Origins
	TrustedProxies []netip.Prefix
	Version        string
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
	complete(described.OpenAPI().Components.Schemas.Map())
	s.streamRoutes(guarded.Group("/sse", s.Origins.StreamOrigin(s.Log), s.elsewhere))
	s.Health.routes(engine)

	// A preflight has no route of its own, so it comes here; so does a method that is not there.
	engine.NoMethod(middleware.NoStore(), s.Origins.CORS(s.Log), func(c *gin.Context) { s.refuse(c, errNoMethod) })
	engine.NoRoute(s.page())
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
	engine.Use(middleware.Log(s.Log), middleware.Recover(s.Log), middleware.Headers(s.Secure),
		middleware.CleanAddress(s.Log), middleware.NoCredentialInQuery(s.Log))
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
	config.OpenAPIPath = "/api/openapi"
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no "$schema" in answers
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: s.cookies().Name()},
		"key":     {Type: "http", Scheme: "bearer"},
	}
	return config
}

// routes is every route of the JSON API, grouped by who may call it.
func (s *Server) routes(api huma.API) {
	anyone := middleware.Rule{Open: true}
	route(s, api, anyone, http.MethodPost, "/api/v1/login", s.login)
	route(s, api, anyone, http.MethodGet, "/api/v1/session/check", s.checkSession, http.StatusNoContent, http.StatusUnauthorized)

	lockedToo := middleware.Rule{User: true, Locked: true, Passive: true}
	route(s, api, lockedToo, http.MethodGet, "/api/v1/session", s.getSession)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/logout", s.logout, http.StatusNoContent)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/session/lock", s.lockSession)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/session/unlock", s.unlockSession)
	route(s, api, lockedToo, http.MethodPost, "/api/v1/stream-tickets", s.mintTicket, http.StatusCreated)

	passive := middleware.Rule{User: true, Passive: true}
	route(s, api, passive, http.MethodPost, "/api/v1/session/activity", s.touchSession)

	user := middleware.Rule{User: true}
	route(s, api, user, http.MethodPost, "/api/v1/session/reauthenticate", s.reauthenticate, http.StatusNoContent)
	route(s, api, user, http.MethodPost, "/api/v1/password", s.changePassword, http.StatusNoContent)
	route(s, api, user, http.MethodGet, "/api/v1/sessions", s.listSessions)
	route(s, api, user, http.MethodDelete, "/api/v1/sessions", s.endOtherSessions, http.StatusNoContent)
	route(s, api, user, http.MethodPost, "/api/v1/sessions/{id}/lock", s.lockOwnSession)
	route(s, api, user, http.MethodDelete, "/api/v1/sessions/{id}", s.endOwnSession, http.StatusNoContent)
	route(s, api, user, http.MethodGet, "/api/v1/notices", s.listNotices)
	route(s, api, user, http.MethodGet, "/api/v1/notices/{id}", s.getNotice)
	route(s, api, user, http.MethodPatch, "/api/v1/notices/{id}", s.patchNotice)
	route(s, api, user, http.MethodPost, "/api/v1/notices/state", s.markNotices)

	sender := middleware.Rule{User: true, Scope: models.ScopeNoticesWrite}
	s.publishRoute(api, sender, "/api/v1/notices")
	s.batchRoute(api, sender, "/api/v1/notices/batch")
	route(s, api, sender, http.MethodGet, "/api/v1/recipients", s.findRecipients)

	guard := middleware.Rule{Admin: true, Scope: models.ScopeSessionsWrite}
	route(s, api, guard, http.MethodPost, "/api/v1/users/{username}/sessions/lock", s.lockUserSessions)
	route(s, api, guard, http.MethodDelete, "/api/v1/users/{username}/sessions", s.endUserSessions, http.StatusNoContent)

	host := middleware.Rule{Scope: models.ScopeTicketsWrite}
	route(s, api, host, http.MethodPost, "/api/v1/users/{username}/stream-tickets", s.mintTicketFor, http.StatusCreated)

	registrar := middleware.Rule{Admin: true, Scope: models.ScopeUsersWrite}
	route(s, api, registrar, http.MethodGet, "/api/v1/users", s.listUsers)
	route(s, api, registrar, http.MethodPost, "/api/v1/users", s.addUser, http.StatusCreated)
	route(s, api, registrar, http.MethodGet, "/api/v1/users/{username}", s.getUser)
	route(s, api, registrar, http.MethodPatch, "/api/v1/users/{username}", s.patchUser)
	route(s, api, registrar, http.MethodDelete, "/api/v1/users/{username}", s.deleteUser, http.StatusNoContent)
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
}

// streamRoutes are the streams. Each finds out for itself who asks: by cookie or by ticket.
func (s *Server) streamRoutes(sse *gin.RouterGroup) {
	sse.GET("/stream", s.stream(services.ClassAll))
	sse.GET("/notice", s.stream(services.ClassNotice|services.ClassNoticeState))
	sse.GET("/lock", s.stream(0))
	sse.GET("/clock", s.clock)
}
