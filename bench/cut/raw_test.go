package cut_test

import (
	"io"
	"net"
	"testing"
)

// raw asks over a connection of its own and gives all that comes before its end, head included.
func raw(t *testing.T, address, path string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.0\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(conn) // a reset is one of the ways to be cut
	return string(got)
}
