package handlers

import (
	"testing"
	"unicode/utf8"

	"belfry/services"
)

// FuzzRepeatable: two requests under one key are the same exactly when they ask the same route for the same, byte for
// byte; and the names of a batch's lines are none that a client could send.
func FuzzRepeatable(f *testing.F) {
	routes := []string{"POST /notices", "POST /notices/batch", "POST /groups", "POST /users", "POST /keys"}
	f.Add("once", byte(0), []byte(`{"a":1}`), "once", byte(0), []byte(`{"a":1}`), uint16(0))
	f.Add("once", byte(0), []byte(`{"a":1}`), "once", byte(1), []byte(`{"a":1}`), uint16(1))
	f.Add("once", byte(0), []byte("x\n"), "once", byte(1), []byte("/batch\nx\n"), uint16(2))
	f.Add("once", byte(0), []byte("/batch{}"), "once", byte(1), []byte("{}"), uint16(2))
	f.Add("once\n1", byte(1), []byte(`{"a":1}`), "once", byte(1), []byte(`{"a":1 }`), uint16(1))
	f.Add("\xff", byte(0), []byte{}, "", byte(0), []byte{}, uint16(0))
	f.Add("", byte(0), []byte{}, "", byte(0), []byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, key string, route byte, content []byte, otherKey string, otherRoute byte, otherContent []byte, line uint16) {
		ask := func(key string, route byte, content []byte) (services.Repeatable, bool) {
			r, err := repeatableBy("user:1", key, "Idempotency-Key", routes[int(route)%len(routes)], content)
			if fits := utf8.ValidString(key) && utf8.RuneCountInString(key) <= MaxIdempotencyKey; (err == nil) != fits {
				t.Errorf("the key %q: %v", key, err)
			}
			return r, err == nil
		}
		one, named := ask(key, route, content)
		other, otherNamed := ask(otherKey, otherRoute, otherContent)
		if !named || !otherNamed || key == "" || otherKey == "" { // without a key nothing is repeatable
			return
		}
		alike := key == otherKey && int(route)%len(routes) == int(otherRoute)%len(routes) && string(content) == string(otherContent)
		if (one == other) != alike {
			t.Errorf("%+v and %+v: the same is %v", one, other, alike)
		}
		if of := ofLine(other, int(line)); of.Principal == one.Principal && of.Key == one.Key {
			t.Errorf("a client can send %q, which names line %d of the batch %q", key, line, otherKey)
		}
	})
}
