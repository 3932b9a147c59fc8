package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"belfry/config"
	"belfry/handlers"
	"belfry/middleware"
)

// Bounds of a connection. There is no WriteTimeout: it would count from the beginning of a stream.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
	// closeTimeout is how long requests under way may take once the streams are gone.
	closeTimeout = 1500 * time.Millisecond
	// Of ten descriptors that the process may have, so many are for connections: without the rest the database, its files and
	// accepting itself would fail once they are full.
	connectionTenths = 9
)

func mostConnections() (int, error) {
	descriptors, err := descriptorLimit()
	return descriptors / 10 * connectionTenths, err
}

// gate is a handler that is put there later.
type gate struct{ handler atomic.Pointer[http.Handler] }

func (g *gate) open(h http.Handler) { g.handler.Store(&h) }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*g.handler.Load()).ServeHTTP(w, r) }

// front is what faces the network: the public listener and, where it is wanted, the internal one. It
// answers from the first moment, so that a probe need not wait for a migration, and it outlives the node.
type front struct {
	settings         *config.Settings
	log              *slog.Logger
	listener         net.Listener
	connections      *middleware.Connections
	server, inside   *http.Server // inside is nil where INTERNAL_LISTEN is off
	public, internal gate
	leaving          atomic.Bool
	failed           chan error // why the public listener is of no use any more
}

// face is what handlers need to know of the settings to answer at all.
func face(s *config.Settings, log *slog.Logger) *handlers.Server {
	return &handlers.Server{Log: log, PublicURL: s.PublicURL, Secure: s.SecureCookies(), Gotify: s.Gotify, Ntfy: s.Ntfy, Origins: middleware.Origins(s.CORSOrigins),
		TrustedProxies: s.TrustedProxies, Version: buildInfo().Main.Version}
}

// newFront takes the addresses and begins to answer that the node is starting.
func newFront(ctx context.Context, s *config.Settings, log *slog.Logger) (*front, error) {
	most, err := mostConnections()
	if err != nil {
		return nil, err
	}
	f := &front{settings: s, log: log, failed: make(chan error, 1), connections: middleware.NewConnections(most, s.TrustedProxies)}
	starting, err := face(s, log).Starting()
	if err != nil {
		return nil, err
	}
	f.public.open(starting)
	f.internal.open(handlers.StartingInternal())
	f.server = &http.Server{Handler: http.HandlerFunc(f.serveHTTP), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ConnState: f.connections.Changed, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	if s.TLSCert != "" {
		cert, err := openCertificate(s.TLSCert, s.TLSKey, log)
		if err != nil {
			return nil, usageError("BELFRY_TLS_CERT, BELFRY_TLS_KEY: " + describe(err))
		}
		f.server.TLSConfig = &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}
	}
	listener, err := listen(ctx, s.Listen, unacknowledgedLimit)
	if err != nil {
		return nil, taken(err, "LISTEN")
	}
	f.listener = f.connections.Limit(listener)
	if err := f.openInside(ctx); err != nil {
		_ = f.listener.Close()
		return nil, err
	}
	go func() {
		if s.TLSCert != "" {
			f.failed <- f.server.ServeTLS(f.listener, "", "")
			return
		}
		f.failed <- f.server.Serve(f.listener)
	}()
	return f, nil
}

// openInside serves metrics, profiles and health on a second listener, which is not for the public.
func (f *front) openInside(ctx context.Context) error {
	if f.settings.InternalListen == "" {
		return nil
	}
	listener, err := listen(ctx, f.settings.InternalListen, unacknowledgedLimit)
	if err != nil {
		return taken(err, "INTERNAL_LISTEN")
	}
	f.inside = &http.Server{Handler: &f.internal, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	go func() {
		if err := f.inside.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			f.log.Error("the internal listener failed", "error", err)
		}
	}()
	return nil
}

// taken adds what to do where another program has the address.
func taken(err error, setting string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; BELFRY_%s takes another address, as in 127.0.0.1:8081", err, setting)
	}
	return err
}

// serveHTTP closes connections that a balancer keeps, one by one behind an answer, while the node leaves:
// closed all at once in the end, some would be in use for a request just then.
func (f *front) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if f.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
	f.public.ServeHTTP(w, r)
}

// open lets requests through to the node. Streams end by what onShutdown does; without it stop
// would wait for them until its deadline.
func (f *front) open(public, internal http.Handler, onShutdown func()) {
	f.server.RegisterOnShutdown(onShutdown)
	f.public.open(public)
	f.internal.open(internal)
}

// stop takes no more connections and lets requests under way end.
func (f *front) stop(closing context.Context) {
	if err := f.server.Shutdown(closing); err != nil {
		f.log.Warn("requests under way were cut off", "error", err)
		_ = f.server.Close()
	}
}

// close ends what is left, the internal listener last.
func (f *front) close() {
	_ = f.server.Close()
	if f.inside != nil {
		_ = f.inside.Close()
	}
}
