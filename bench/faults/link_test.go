package faults_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a stretch of network that can be made bad: one proxy between who connects and who listens.
type link struct {
	*toxiproxy.Proxy
}

func newLink(t testing.TB, name, target string) *link {
	t.Helper()
	logger := zerolog.Nop()
	proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), logger), name, "127.0.0.1:0", target)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return &link{proxy}
}

// leadTo cuts every connection; new ones go to another address.
func (l *link) leadTo(target string) error {
	return l.Update(&toxiproxy.Proxy{Listen: l.Listen, Upstream: target, Enabled: true})
}

// poison adds a toxic, which antidote takes away again.
func (l *link) poison(kind, direction, attributes string) (antidote func() error, err error) {
	name := kind + " " + direction
	_, err = l.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name": %q, "type": %q, "stream": %q, "attributes": {%s}}`, name, kind, direction, attributes)))
	if err != nil {
		return nil, err
	}
	return func() error { return l.Toxics.RemoveToxic(context.Background(), name) }, nil
}

// flap cuts every connection, and lets new ones in at once.
func (l *link) flap() error {
	l.Stop()
	return l.Start()
}
