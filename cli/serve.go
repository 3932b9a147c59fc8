package cli

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	xterm "golang.org/x/term"

	"belfry/config"
	"belfry/handlers"
	"belfry/models"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/hub"
	"belfry/services/journal"
)

type serveCmd struct {
	Demo bool `help:"Add sample users and data, print their passwords; on this machine alone."`
}

// noticeTime is how long a node that leaves goes on answering at least, where DRAIN allows: whoever sends
// requests to it has to see first that it is not ready.
const noticeTime = 3 * time.Second

// Run serves until it is told to stop by SIGTERM or SIGINT.
func (cmd *serveCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	if cmd.Demo {
		if err := demoAllowed(s); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := newLogger(s, term.err)
	front, err := newFront(ctx, s, log) // before the database: a port in use is the commoner fault
	if err != nil {
		return err
	}
	defer front.close()
	err = withDatabase(ctx, s, func(db *services.Database) error {
		if _, err := migrate(ctx, db); err != nil {
			return err
		}
		node, err := newNode(ctx, s, db, log)
		if err != nil {
			return err
		}
		defer node.close()
		if err := node.begin(ctx, cmd.Demo, term); err != nil {
			return err
		}
		return node.serve(ctx, front)
	})
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrBadConn)) {
		return nil // told to stop before it had begun, which may have cut off a connection
	}
	return err
}

// node is one running server: its services, and what has to be stopped in order.
type node struct {
	settings *config.Settings
	db       *services.Database
	journal  *journal.Journal
	streams  *services.Streams
	house    *services.Housekeeping
	server   *handlers.Server
	hints    <-chan struct{}
	announce func(context.Context) // nil where there is one node
	log      *slog.Logger

	background sync.WaitGroup
	cancel     context.CancelFunc
}

// newNode is the wiring: who is given to whom.
func newNode(ctx context.Context, s *config.Settings, db *services.Database, log *slog.Logger) (*node, error) {
	n := &node{settings: s, db: db, log: log}
	health := &handlers.Health{Ping: db.Ping}
	tokens, err := services.NewTokens(ctx, db, s.Secret, s.SessionMax, s.TicketTTL)
	if err != nil {
		return nil, err
	}
	announcer, err := n.announcer(tokens, health)
	if err != nil {
		return nil, err
	}
	if n.journal, err = journal.Open(ctx, db.Read, db.Write, announcer, log); err != nil {
		return nil, err
	}
	hasher := services.NewHasher()
	throttle := services.NewThrottle(services.Rate{Count: s.LoginRate.Count, Per: s.LoginRate.Per}, time.Now)
	limits := models.SessionLimits{Idle: s.SessionIdle, Max: s.SessionMax, Warning: s.SessionWarning}
	sessions := services.NewSessions(db, n.journal, hasher, tokens, throttle, limits, log)
	notices := services.NewNotices(db, n.journal)
	n.streams = services.NewStreams(db, n.journal, hub.New(n.journal.Cursor(), hub.RecentEntries), sessions, notices,
		services.StreamSettings{Heartbeat: s.Heartbeat, MaxAge: s.StreamMaxAge, PerUser: s.StreamsPerUser, Drain: s.Drain}, log)
	n.house = services.NewHousekeeping(db, n.journal, sessions, notices, s.Retention, log)
	n.server = face(s, log)
	n.server.Users, n.server.Groups, n.server.Keys = services.NewUsers(db, n.journal, hasher), services.NewGroups(db, n.journal), services.NewKeys(db, n.journal)
	n.server.Sessions, n.server.Notices, n.server.Recipients = sessions, notices, services.NewRecipients(db)
	n.server.Streams, n.server.Tokens, n.server.Health = n.streams, tokens, health
	return n, nil
}

// announcer picks the way in which nodes tell each other that the log grew.
func (n *node) announcer(tokens *services.Tokens, health *handlers.Health) (journal.Announcer, error) {
	switch s := n.settings; {
	case s.NATSURL != "":
		bus, err := announce.NewNATS(announce.NATSSettings{URL: s.NATSURL, Credentials: s.NATSCreds, CA: s.NATSCA, Secret: tokens.HintSecret()}, n.log)
		if err != nil {
			return nil, usageError("BELFRY_NATS_CREDS, BELFRY_NATS_CA: " + err.Error())
		}
		n.hints, health.Hints = bus.Hints(), bus.Healthy
		n.announce = func(ctx context.Context) { bus.Run(ctx, n.journal) }
		return bus, nil
	case s.OnSQLite():
		local := announce.NewLocal()
		n.hints = local.Hints()
		return local, nil
	default:
		postgres := announce.NewPostgres(s.DatabaseListenURL, n.log)
		n.hints, n.announce, health.Hints = postgres.Hints(), postgres.Run, postgres.Healthy
		return postgres, nil
	}
}

// begin starts what runs beside the requests, and makes the first people.
func (n *node) begin(ctx context.Context, demo bool, term *console) error {
	// Detached from ctx, which ends at the signal: deliveries go on while streams are sent away.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.background.Go(func() { n.streams.Follow(background, n.hints) })
	n.background.Go(func() { n.house.Run(background) })
	keepRoom(background)
	n.background.Go(func() { tidyMemory(background) })
	n.warm(ctx)
	if n.announce != nil {
		n.background.Go(func() { n.announce(background) })
	}
	if demo {
		return demoData(ctx, n.server.Users, n.server.Groups, n.server.Notices, term.out)
	}
	return firstAdmin(ctx, n.settings, n.server.Users, n.log)
}

// warmTimeout bounds what is read before the first request; without it the first requests read it.
const warmTimeout = 5 * time.Second

func (n *node) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	head, err := n.journal.Head(ctx)
	if err == nil {
		err = n.streams.Warm(ctx, head.Offset)
	}
	if err != nil {
		n.log.Warn("starting with an empty memory", "error", err)
	}
}

// serve answers until ctx ends, then leaves.
func (n *node) serve(ctx context.Context, f *front) error {
	router, err := n.server.Router()
	if err != nil {
		return err
	}
	f.open(router, n.server.Internal(), n.streams.CloseAll)
	n.log.Info("ready", "listen", f.listener.Addr().String(), "url", n.settings.PublicURL.String(), "version", n.server.Version)
	select {
	case err := <-f.failed:
		return err
	case <-ctx.Done():
	}
	n.leave(context.WithoutCancel(ctx), f)
	return nil
}

// leave goes in order: not ready, streams sent away over the drain time, no more connections, requests
// under way answered.
func (n *node) leave(ctx context.Context, f *front) {
	n.log.Info("leaving", "drain", n.settings.Drain)
	noticed := time.After(min(n.settings.Drain, noticeTime))
	f.leaving.Store(true)
	n.server.Health.Drain()
	draining, cancel := context.WithTimeout(ctx, n.settings.Drain)
	defer cancel()
	n.streams.Drain(draining)
	<-noticed
	closing, cancelClosing := context.WithTimeout(ctx, closeTimeout)
	defer cancelClosing()
	f.stop(closing)
	n.streams.AwaitClosed(closing) // the server does not know of connections that it has let go of
}

// close stops what runs beside the requests; the log first finishes what it accepted.
func (n *node) close() {
	n.journal.Close()
	if n.cancel != nil {
		n.cancel()
	}
	n.background.Wait()
}

func newLogger(s *config.Settings, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	format := s.LogFormat
	if format == "" {
		format = "json"
		if f, ok := out.(*os.File); ok && xterm.IsTerminal(int(f.Fd())) {
			format = "text"
		}
	}
	if format == "text" {
		return slog.New(slog.NewTextHandler(out, options))
	}
	return slog.New(slog.NewJSONHandler(out, options))
}
