package announce_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"belfry/services/announce"
)

func file(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, text, 0o600))
	return path
}

// authority makes a certificate for 127.0.0.1 that is its own authority, and the file that says to trust it.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bus"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// guarded gives a server's options that let in whom one operator has signed, and a credentials file of
// somebody of whom that is true.
func guarded(t *testing.T) (natsserver.Options, string) {
	t.Helper()
	pair := func(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		key, err := create()
		must(t, err)
		public, err := key.PublicKey()
		must(t, err)
		return key, public
	}
	operatorKey, operator := pair(nkeys.CreateOperator)
	accountKey, account := pair(nkeys.CreateAccount)
	userKey, user := pair(nkeys.CreateUser)
	accountJWT, err := jwt.NewAccountClaims(account).Encode(operatorKey)
	must(t, err)
	userJWT, err := jwt.NewUserClaims(user).Encode(accountKey)
	must(t, err)
	seed, err := userKey.Seed()
	must(t, err)
	creds, err := jwt.FormatUserConfig(userJWT, seed)
	must(t, err)
	resolver := &natsserver.MemAccResolver{}
	must(t, resolver.Store(account, accountJWT))
	return natsserver.Options{TrustedKeys: []string{operator}, AccountResolver: resolver}, file(t, "belfry.creds", creds)
}

func TestNATSOverTLSWithCredentials(t *testing.T) {
	t.Parallel()
	options, creds := guarded(t)
	certificate, ca := authority(t)
	options.TLSConfig, options.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, true
	server := natsServer(t, options)
	url := "tls://" + strings.TrimPrefix(strings.TrimPrefix(server.ClientURL(), "tls://"), "nats://")
	tail := &memory{epoch: "e"}
	// The first server of the list is not there.
	a := hear(t, announce.NATSSettings{URL: "tls://127.0.0.1:1," + url, Credentials: creds, CA: ca}, &memory{epoch: "e"})
	hear(t, announce.NATSSettings{URL: url, Credentials: creds, CA: ca}, tail)
	awaitOffered(t, a, tail, 1)

	_, stranger := authority(t)
	_, others := guarded(t)
	for name, settings := range map[string]announce.NATSSettings{
		"not trusted":    {URL: url, Credentials: creds, CA: stranger},
		"the system's":   {URL: url, Credentials: creds},
		"no credentials": {URL: url, CA: ca},
		"other operator": {URL: url, Credentials: others, CA: ca},
	} {
		said := make(lines, 100)
		n, end := beginLogged(t, settings, &memory{epoch: "e"}, slog.New(slog.NewTextHandler(said, nil)))
		select {
		case line := <-said:
			if !strings.Contains(line, "interrupted") || n.Healthy() {
				t.Errorf("%s: let in: %s", name, line)
			}
		case <-time.After(patience):
			t.Errorf("%s: nothing said of it", name)
		}
		end()
	}
}

// lines is a log whose lines are waited for.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestCredentialsSetRight: a node that was refused is let in when its file is right, without a restart.
func TestCredentialsSetRight(t *testing.T) {
	t.Parallel()
	options, creds := guarded(t)
	_, wrong := guarded(t)
	server := natsServer(t, options)
	n, _ := begin(t, announce.NATSSettings{URL: server.ClientURL(), Credentials: wrong}, &memory{epoch: "e"})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	// More than once: by default the client gives up at the second refusal.
	for deadline := time.Now().Add(patience); refusals(t, server) < 3; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it has not gone on trying")
		}
	}
	right, err := os.ReadFile(creds)
	must(t, err)
	must(t, os.WriteFile(wrong, right, 0o600))
	awaitHealth(t, n, true)
}

func refusals(t *testing.T, server *natsserver.Server) int {
	t.Helper()
	v, err := server.Varz(nil)
	must(t, err)
	return int(v.TotalConnections)
}

func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none")
	for name, settings := range map[string]announce.NATSSettings{
		"credentials": {Credentials: missing}, "authorities": {CA: missing}, "no PEM": {CA: file(t, "ca.pem", []byte("x"))},
	} {
		settings.URL = "nats://127.0.0.1:1"
		if _, err := announce.NewNATS(settings, quiet); err == nil || strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
