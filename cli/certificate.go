package cli

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateLook is how long the files of a certificate are taken to be as they were.
const certificateLook = 10 * time.Second

// certificate is what this node proves itself with. Whoever renews it replaces its files and tells nobody, so they are read again
// as connections come: a server that holds streams for months would else show the old one until it has run out.
type certificate struct {
	certFile, keyFile string
	every             time.Duration
	log               *slog.Logger

	mu        sync.Mutex
	looked    time.Time
	cert, key []byte // as they were last
	pair      *tls.Certificate
	fault     string // that was reported last
}

func openCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, every: certificateLook, log: log, looked: time.Now()}
	return c, c.read()
}

// get is asked with each handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= c.every {
		c.looked = time.Now()
		c.renew()
	}
	return c.pair, nil
}

// renew keeps what there is where the files are of no use: one of the two may not have been replaced yet.
func (c *certificate) renew() {
	fault := ""
	if err := c.read(); err != nil {
		fault = err.Error()
	}
	if fault != "" && fault != c.fault {
		c.log.Warn("the certificate's files cannot be used; the one before stays", "error", fault)
	}
	c.fault = fault
}

func (c *certificate) read() error {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil || bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	if c.pair != nil {
		c.log.Info("the certificate was renewed", "until", pair.Leaf.NotAfter)
	}
	c.cert, c.key, c.pair = cert, key, &pair
	return nil
}
