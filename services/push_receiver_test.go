package services

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"belfry/models"
)

const pushContact = "ops@belfry.example"

// pushService is a push service on this machine. It lets nobody in whom it cannot tell, as the real ones do.
type pushService struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex
	key     string // that browsers subscribe for
	known   map[string]*browser
	answer  func(w http.ResponseWriter, of *browser) int // nil = 201
	arrived chan pushed
}

// browser is one that subscribes.
type browser struct {
	service *pushService
	secret  *ecdh.PrivateKey
	auth    []byte
	path    string
}

// pushed is what a browser got.
type pushed struct {
	browser *browser
	text    string
	message struct {
		Type, Title, Body, Severity string
		ID, Unread                  int64
		URL                         *string
	}
	ttl            int
	urgency, topic string
}

func newPushService(t *testing.T) *pushService {
	s := &pushService{t: t, known: map[string]*browser{}, arrived: make(chan pushed, 10_000)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// browser is a new one, which is not subscribed yet.
func (s *pushService) browser() *browser {
	b := &browser{service: s, secret: got(ecdh.P256().GenerateKey(rand.Reader))(s.t), auth: make([]byte, 16), path: "/push/" + randomText(12)}
	_, _ = rand.Read(b.auth)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[b.path] = b
	return b
}

func (b *browser) subscription() NewPushSubscription {
	return NewPushSubscription{Endpoint: b.service.URL + b.path, P256dh: base64.RawURLEncoding.EncodeToString(b.secret.PublicKey().Bytes()),
		Auth: base64.RawURLEncoding.EncodeToString(b.auth)}
}

// answers sets what the service says from now on.
func (s *pushService) answers(answer func(http.ResponseWriter, *browser) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *pushService) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	b, answer, key := s.known[req.URL.Path], s.answer, s.key
	s.mu.Unlock()
	if b == nil || req.Method != http.MethodPost {
		s.t.Errorf("%s of an endpoint that nobody has", req.Method)
		return
	}
	s.check(req, key)
	m := pushed{browser: b, urgency: req.Header.Get("Urgency"), topic: req.Header.Get("Topic")}
	var err error
	if m.ttl, err = strconv.Atoi(req.Header.Get("TTL")); err != nil {
		s.t.Errorf("TTL: %v", err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil || len(body) > 4096 || req.Header.Get("Content-Encoding") != "aes128gcm" {
		s.t.Errorf("%d bytes, %v, %v", len(body), req.Header, err)
	}
	m.text = string(b.decrypt(body))
	if err := json.Unmarshal([]byte(m.text), &m.message); err != nil {
		s.t.Errorf("%v: %s", err, m.text)
	}
	status := http.StatusCreated
	if answer != nil {
		status = answer(w, b)
	}
	w.WriteHeader(status)
	s.arrived <- m
}

// check holds the sender to RFC 8292.
func (s *pushService) check(req *http.Request, key string) {
	fields := map[string]string{}
	scheme, list, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	for field := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	if scheme != "vapid" || fields["k"] != key {
		s.t.Errorf("Authorization: %s with key %s, want vapid with %s", scheme, fields["k"], key)
	}
	point := got(base64.RawURLEncoding.DecodeString(fields["k"]))(s.t)
	public := got(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point))(s.t)
	token, err := jwt.Parse(fields["t"], func(*jwt.Token) (any, error) { return public, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired(), jwt.WithAudience(s.URL), jwt.WithSubject("mailto:"+pushContact))
	if err != nil {
		s.t.Errorf("the sender's token: %v", err)
		return
	}
	if at, err := token.Claims.GetExpirationTime(); err != nil || time.Until(at.Time) > 24*time.Hour {
		s.t.Errorf("the sender's token expires at %v, %v", at, err)
	}
}

// decrypt is the browser's half of RFC 8291, written after the standard and not after the sender's library.
func (b *browser) decrypt(body []byte) []byte {
	t := b.service.t
	salt, size, length := body[:16], binary.BigEndian.Uint32(body[16:20]), int(body[20])
	sender, sealed := body[21:21+length], body[21+length:]
	if int(size) < len(sealed) {
		t.Errorf("%d bytes in a record of %d", len(sealed), size)
	}
	shared := got(b.secret.ECDH(got(ecdh.P256().NewPublicKey(sender))(t)))(t)
	info := "WebPush: info\x00" + string(b.secret.PublicKey().Bytes()) + string(sender)
	ikm := got(hkdf.Key(sha256.New, shared, b.auth, info, 32))(t)
	key := got(hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16))(t)
	nonce := got(hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12))(t)
	plain, err := got(cipher.NewGCM(got(aes.NewCipher(key))(t)))(t).Open(nil, nonce, sealed, nil)
	if err != nil {
		t.Errorf("it cannot be decrypted: %v", err)
		return nil
	}
	text := strings.TrimRight(string(plain), "\x00")
	if !strings.HasSuffix(text, "\x02") {
		t.Errorf("the last record ends with %q", text[max(0, len(text)-1):])
	}
	return []byte(strings.TrimSuffix(text, "\x02"))
}

// next waits for what is pushed next.
func (s *pushService) next(t *testing.T) pushed {
	t.Helper()
	select {
	case m := <-s.arrived:
		return m
	case <-time.After(patience):
		t.Fatal("nothing was pushed")
		return pushed{}
	}
}

// titled waits for a notice of this title; no other may come before it.
func (s *pushService) titled(t *testing.T, title string) pushed {
	t.Helper()
	m := s.next(t)
	if m.message.Type != "notice" || m.message.Title != title {
		t.Fatalf("%s came, want %s", m.text, title)
	}
	return m
}

// pusher is the part of a node that pushes; it is not pushing yet.
func (n *node) pusher(t *testing.T, s *pushService) *Push {
	t.Helper()
	settings := PushSettings{Hosts: []string{s.URL}, Contact: "mailto:" + pushContact}
	p := got(NewPush(t.Context(), n.db, n.journal, n.sessions, n.notices, NewPreferences(n.db, n.journal), NewVault(n.tokens.ring), settings, slog.New(slog.NewTextHandler(t.Output(), nil))))(t)
	t.Cleanup(p.client.CloseIdleConnections)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = p.Key()
	return p
}

// pushing begins to push, and gives the way to stop it.
func pushing(t *testing.T, p *Push) (stop func()) {
	t.Helper()
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() { p.Deliver(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

func (p *Push) subscribe(t *testing.T, l *Live, n NewPushSubscription) error {
	_, err := p.Subscribe(t.Context(), l, n, Repeatable{})
	return err
}

// subscribed signs a person in, in a browser of their own that is told of notices.
func (n *node) subscribed(t *testing.T, p *Push, s *pushService, name string) (*browser, *Live) {
	t.Helper()
	l, _ := n.signIn(t, name)
	b := s.browser()
	must(t, p.subscribe(t, l, b.subscription()))
	return b, l
}

// unpushed counts what is still to be pushed.
func (n *node) unpushed(t *testing.T) int64 {
	t.Helper()
	return n.number(t, "SELECT count(*) FROM push_deliveries")
}

func (n *node) subscriptions(t *testing.T) int64 {
	t.Helper()
	return n.number(t, "SELECT count(*) FROM push_subscriptions")
}

// quiet has everything pushed that is to be, and makes sure that nothing was.
func (n *node) quiet(t *testing.T, p *Push, s *pushService, why string) {
	t.Helper()
	n.settledPushes(t, p)
	select {
	case m := <-s.arrived:
		t.Errorf("%s, and yet %s was pushed", why, m.text)
	default:
	}
}

// settledPushes waits until this node has looked at the whole log and has nothing left to push.
func (n *node) settledPushes(t *testing.T, p *Push) {
	t.Helper()
	must(t, p.spread(t.Context()))
	n.eventually(t, "all is pushed", func() bool { p.lanes.nudge(); return n.unpushed(t) == 0 })
}

func critical(title string) models.NoticeContent {
	return models.NoticeContent{Title: title, Severity: "critical"}
}
