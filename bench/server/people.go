package server

import (
	"net/http"
	"testing"
)

// Password is everybody's.
const Password = "a bell rings twice at noon"

// AddUser makes people by the command line. On SQLite the node must not run.
func (n *Node) AddUser(names ...string) {
	n.t.Helper()
	for _, name := range names {
		n.mustRun(Password+"\n", "user", "add", name, "--password-stdin")
	}
}

// AddAdmin makes a person who may administer.
func (n *Node) AddAdmin(name string) {
	n.t.Helper()
	n.mustRun(Password+"\n", "user", "add", name, "--admin", "--password-stdin")
}

// AddGroup makes a group of people.
func (n *Node) AddGroup(name string, members ...string) {
	n.t.Helper()
	n.mustRun("", "group", "add", name)
	if len(members) > 0 {
		n.mustRun("", append([]string{"group", "join", name}, members...)...)
	}
}

// AddKey makes an API key and gives its secret.
func (n *Node) AddKey(name, scopes string) string {
	n.t.Helper()
	return n.mustRun("", "key", "create", name, "--scope", scopes)
}

// PostUsers makes many people through the API of a running node, by a key with users:write.
func (c *Caller) PostUsers(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		c.Must(t, http.StatusCreated, http.MethodPost, "/api/v1/users", map[string]string{"username": name, "password": Password}, nil)
	}
}
