// Package hashing makes and compares the hashes of passwords (argon2id, in the PHC string format) in a process of its own.
//
// That process is this program once more, at a lower priority: a flood of passwords then takes the processor time that the
// streams leave, and the memory of a hash, megabytes each time, is not for the server's garbage collector to find. Within
// one process neither can be had: goroutines have no priorities.
package hashing

import (
	"io"
	"net/rpc"

	"github.com/alexedwards/argon2id"
)

// Argument is what the program is called with to be that process. It speaks with the server over its standard input and
// output and ends when the server does.
const Argument = "hash-passwords"

// Creation asks for the hash of a new password.
type Creation struct {
	Password string
	Params   argon2id.Params
}

// Comparison asks whether a password is the one behind a hash.
type Comparison struct{ Password, Hash string }

// service is what the process does, as net/rpc wants its methods to be.
type service struct{}

const (
	name    = "hashes"
	create  = name + ".Create"
	compare = name + ".Compare"
)

// Create makes a hash.
func (service) Create(asked Creation, hash *string) (err error) {
	*hash, err = argon2id.CreateHash(asked.Password, &asked.Params)
	return err
}

// Compare compares.
func (service) Compare(asked Comparison, fits *bool) (err error) {
	*fits, err = argon2id.ComparePasswordAndHash(asked.Password, asked.Hash)
	return err
}

// Serve answers until the other side closes in. The server is told to stop by signals that go to its whole group, or its
// container, and people sign in while it leaves: they are ignored.
func Serve(in io.Reader, out io.Writer) error {
	ignoreSignals()
	server := rpc.NewServer()
	if err := server.RegisterName(name, service{}); err != nil {
		return err
	}
	server.ServeConn(&pipe{Reader: in, Writer: out})
	return nil
}

// pipe is two files as one connection.
type pipe struct {
	io.Reader
	io.Writer
	closing []io.Closer
}

func (p *pipe) Close() error {
	for _, c := range p.closing {
		_ = c.Close()
	}
	return nil
}
