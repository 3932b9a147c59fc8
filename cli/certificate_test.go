package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned is a certificate with a serial number to tell it by, and its key.
func selfSigned(t *testing.T, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"belfry.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", sealed)
}

// TestRenewedCertificate: new files count without a restart; while they are of no use the certificate before stays, and that is
// said once.
func TestRenewedCertificate(t *testing.T) {
	certFile, keyFile := filepath.Join(t.TempDir(), "crt"), filepath.Join(t.TempDir(), "key")
	var log strings.Builder
	cert, key := selfSigned(t, 1)
	write(t, certFile, cert)
	write(t, keyFile, key)
	c, err := openCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	shows := func(what string, serial int64) {
		t.Helper()
		pair, err := c.get(&tls.ClientHelloInfo{})
		if err != nil || pair.Leaf.SerialNumber.Int64() != serial {
			t.Errorf("%s: %v, %v, want number %d", what, pair.Leaf.SerialNumber, err, serial)
		}
	}
	shows("at first", 1)
	cert, key = selfSigned(t, 2)
	write(t, certFile, cert)
	write(t, keyFile, key)
	shows("within the time that it is not looked", 1)
	c.every = 0
	shows("renewed", 2)
	cert, key = selfSigned(t, 3)
	write(t, certFile, cert)
	shows("with the key still of the one before", 2)
	shows("and again", 2)
	write(t, keyFile, key)
	shows("with its key", 3)
	write(t, keyFile, "")
	shows("with an empty key", 3)
	if said := strings.Count(log.String(), "level=WARN"); said != 2 || strings.Contains(log.String(), "PRIVATE") {
		t.Errorf("%d warnings, want one for each fault:\n%s", said, log.String())
	}
}
