//go:build !unix

package hub

import "errors"

// Sockets tells whether connections can be written to without waiting for their readers.
const Sockets = false

func tryWrite(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
