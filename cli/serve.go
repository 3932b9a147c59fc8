package cli

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"belfry/config"
	"belfry/handlers"
	"belfry/models"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/hub"
	"belfry/services/journal"
	"belfry/services/tracing"
	"github.com/coreos/go-systemd/v22/daemon"
)

type serveCmd struct {
	Demo bool `help:"Add sample users and data, print their passwords and a key; on this machine alone."`
}

// noticeTime is how long a node that leaves goes on answering at least, where DRAIN allows: whoever sends
// requests to it has to see first that it is not ready.
const noticeTime = 3 * time.Second

// Run serves until ctx ends, as it does at SIGTERM and SIGINT.
func (cmd *serveCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	if cmd.Demo {
		if err := demoAllowed(s); err != nil {
			return err
		}
	}
	level := tracing.NewLevel(s.LogLevel)
	log := newLogger(s, level, term.err)
	defer levelBySignal(level, log)()
	stopTracing, err := startTracing(ctx, nodeName(s), log)
	if err != nil {
		return err
	}
	defer stopTracing()
	front, err := newFront(ctx, s, log) // before the database: a port in use is the commoner fault
	if err != nil {
		return err
	}
	defer front.close()
	err = withDatabase(ctx, s, func(db *services.Database) error {
		if _, err := migrate(ctx, db); err != nil {
			return err
		}
		hasher, apart := newHasher(s, term.self, log)
		defer apart.Close()
		node, err := newNode(ctx, s, db, hasher, level, log)
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
	ring     *services.Keyring
	journal  *journal.Journal
	streams  *services.Streams
	house    *services.Housekeeping
	search   *services.Search
	server   *handlers.Server
	hints    <-chan struct{}
	growths  <-chan announce.Growth
	announce func(context.Context) // nil where there is one node
	alone    func(bool)            // is told whether it is the only node; nil where nobody asks
	log      *slog.Logger

	background sync.WaitGroup
	cancel     context.CancelFunc
}

// newNode is the wiring: who is given to whom.
func newNode(ctx context.Context, s *config.Settings, db *services.Database, hasher *services.Hasher, level *tracing.Level, log *slog.Logger) (*node, error) {
	n := &node{settings: s, db: db, log: log}
	health := &handlers.Health{Ping: db.Ping}
	ring, err := services.NewKeyring(ctx, db, s.Secret, s.SecretPrevious...)
	if err != nil {
		return nil, err
	}
	n.ring = ring
	tokens := services.NewTokens(ring, s.SessionMax, s.TicketTTL)
	announcer, err := n.announcer(ring, health)
	if err != nil {
		return nil, err
	}
	if n.journal, err = journal.Open(ctx, db.Read, db.Write, announcer, log); err != nil {
		return nil, err
	}
	throttle := services.NewThrottle(models.Rate(s.LoginRate), time.Now)
	limits := models.SessionLimits{Idle: s.SessionIdle, Max: s.SessionMax, Warning: s.SessionWarning}
	vault := services.NewVault(ring)
	if err := vault.Reseal(ctx, db, log); err != nil {
		return nil, err
	}
	factors := services.NewFactors(db, vault, throttle, s.PublicURL.Hostname())
	sessions := services.NewSessions(db, n.journal, hasher, tokens, throttle, factors, limits, log)
	notices := services.NewNotices(db, n.journal)
	n.streams = services.NewStreams(db, n.journal, hub.New(n.journal.Cursor(), hub.RecentEntries), sessions, notices,
		services.StreamSettings{Heartbeat: s.Heartbeat, MaxAge: s.StreamMaxAge, PerUser: s.StreamsPerUser, Drain: s.Drain}, log)
	tasks := services.NewTasks(db, n.journal, notices, announcer)
	n.house = services.NewHousekeeping(db, n.journal, sessions, notices, tasks, services.Keeping{Log: s.Retention, Audit: s.AuditRetention}, log)
	n.search = services.NewSearch(db, n.journal, log)
	n.server = face(s, log)
	n.server.Users, n.server.Groups, n.server.Keys = services.NewUsers(db, n.journal, hasher), services.NewGroups(db, n.journal), services.NewKeys(db, n.journal, vault)
	n.server.Audit, n.server.Tasks = services.NewAudit(db), tasks
	n.server.Preferences = services.NewPreferences(db, n.journal)
	n.server.Webhooks = services.NewWebhooks(db, n.journal, vault, log)
	n.server.Passkeys = services.NewPasskeys(db, sessions, s.PublicURL, log)
	n.server.Factors, n.server.Sessions, n.server.Notices, n.server.Recipients = factors, sessions, notices, services.NewRecipients(db)
	n.server.Streams, n.server.Tokens, n.server.Health = n.streams, tokens, health
	settings := services.PushSettings{Hosts: s.PushHosts, Contact: s.PushContact}
	if n.server.Push, err = services.NewPush(ctx, db, n.journal, sessions, notices, n.server.Preferences, vault, settings, log); err != nil {
		return nil, err
	}
	n.server.Metrics = &services.Metrics{DB: db, Journal: n.journal, Streams: n.streams, Sessions: sessions, Throttle: throttle, Hasher: hasher,
		Keys: n.server.Keys, Tasks: tasks, Push: n.server.Push, Webhooks: n.server.Webhooks, Bus: health.Hints}
	n.server.Nodes = services.NewNodes(db, n.journal, n.streams, nodeName(s), n.server.Version, level, log)
	n.server.Nodes.Alone = n.alone
	if s.OIDCIssuer != "" {
		n.server.Federation = services.NewFederation(db, sessions, throttle, federation(s), log)
	}
	return n, nil
}

// nodeName is what people know this node by: in a container its name, which is the host's there.
func nodeName(s *config.Settings) string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	_, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return host
	}
	return net.JoinHostPort(host, port)
}

// signedInPath is the route of the page that a provider sends people back to.
const signedInPath = "/signed-in"

func federation(s *config.Settings) services.FederationSettings {
	return services.FederationSettings{Issuer: s.OIDCIssuer, ClientID: s.OIDCClientID, ClientSecret: s.OIDCClientSecret, Name: s.OIDCName,
		RedirectURL: s.PublicURL.JoinPath(signedInPath).String(), UsernameClaim: s.OIDCUsernameClaim, SignUp: s.OIDCSignUp, LockAtLogout: s.OIDCLogout == "lock"}
}

// announcer tells the other nodes what has happened on this one.
type announcer interface {
	journal.Announcer
	services.Teller
}

// announcer picks the way in which nodes tell each other that the log grew.
func (n *node) announcer(ring *services.Keyring, health *handlers.Health) (announcer, error) {
	switch s := n.settings; {
	case s.NATSURL != "":
		bus, err := announce.NewNATS(announce.NATSSettings{URL: s.NATSURL, Credentials: s.NATSCreds, CA: s.NATSCA, Secret: ring.HintSecret()}, n.log)
		if err != nil {
			return nil, usageError("BELFRY_NATS_CREDS, BELFRY_NATS_CA: " + err.Error())
		}
		n.hints, n.growths, health.Hints = bus.Hints(), bus.Growths(), bus.Healthy
		n.announce = func(ctx context.Context) { bus.Run(ctx, n.journal) }
		return bus, nil
	case s.OnSQLite():
		local := announce.NewLocal()
		n.hints, n.growths = local.Hints(), local.Growths()
		return local, nil
	default:
		postgres := announce.NewPostgres(s.DatabaseListenURL, n.log)
		n.hints, n.growths, n.announce, health.Hints = postgres.Hints(), postgres.Growths(), postgres.Run, postgres.Healthy
		n.alone = postgres.Alone
		return postgres, nil
	}
}

// begin starts what runs beside the requests, and makes the first people.
func (n *node) begin(ctx context.Context, asDemo bool, term *console) error {
	// Detached from ctx, which ends at the signal: deliveries go on while streams are sent away.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.background.Go(func() { n.streams.Follow(background, n.hints) })
	n.background.Go(func() { n.server.Tasks.Follow(background, n.growths) })
	n.background.Go(func() { n.house.Run(background) })
	n.background.Go(func() { n.db.KeepShort(background, n.log) })
	n.background.Go(func() { n.search.Run(background) })
	n.background.Go(func() { n.server.Nodes.Run(background) })
	n.background.Go(func() { n.server.Webhooks.Deliver(background) })
	n.background.Go(func() { n.server.Push.Deliver(background) })
	n.background.Go(func() { n.ring.Keep(background, n.settings.SessionMax, n.log) })
	keepRoom(background)
	n.background.Go(func() { tidyMemory(background) })
	n.warm(ctx)
	if n.announce != nil {
		n.background.Go(func() { n.announce(background) })
	}
	if asDemo {
		return demo{n.server.Users, n.server.Groups, n.server.Keys, n.server.Notices, n.settings.PublicURL.String()}.begin(ctx, term.out)
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
	n.server.Connections = f.connections
	f.open(router, n.server.Internal(), n.streams.CloseAll)
	n.log.Info("ready", "listen", f.listener.Addr().String(), "url", n.settings.PublicURL.String(), "version", n.server.Version)
	n.tell(daemon.SdNotifyReady)
	select {
	case err := <-f.failed:
		return err
	case <-ctx.Done():
	}
	n.leave(context.WithoutCancel(ctx), f)
	return nil
}

// tell says to the service manager how the server is (sd_notify(3)): the next node of a rolling restart has to
// wait until this one is ready. Where there is no manager that asked to be told it does nothing.
func (n *node) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Warn("the service manager cannot be told", "state", state, "error", err)
	}
}

// leave goes in order: not ready, streams sent away over the drain time, no more connections, requests
// under way answered.
func (n *node) leave(ctx context.Context, f *front) {
	n.log.Info("leaving", "drain", n.settings.Drain.String())
	n.tell(daemon.SdNotifyStopping)
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
