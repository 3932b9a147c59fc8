//go:build !unix

package hub

import "errors"

var errNoFile = errors.ErrUnsupported

// Sockets tells whether connections can be written to without waiting for their readers.
const Sockets = false

type attempt struct{}

func (*attempt) init() {}

func (*attempt) write(*socket, []byte) (int, error) { return 0, errors.ErrUnsupported }
