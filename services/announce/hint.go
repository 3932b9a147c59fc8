package announce

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"

	"belfry/services/journal"
)

// hint is what one node tells the others over a bus: how far the log of an epoch goes, and, where they
// fit, the entries themselves.
type hint struct {
	Epoch   string          `json:"epoch"`
	Offset  int64           `json:"offset"`
	Entries []journal.Entry `json:"entries,omitempty"`
	Grown   []Growth        `json:"grown,omitempty"` // beside the log; a hint of these alone has no offset
}

// seal signs hints. A carried entry is handed on without asking the database, so without a signature
// whoever may publish on the bus could put words into anybody's inbox.
type seal struct {
	key     []byte
	subject string
}

// newSeal works the key out of a secret that all nodes of one installation share. The fields of an entry
// are part of it: nodes of different versions would read zeros where the other has written nothing, so
// they do not understand each other and read the log.
func newSeal(secret []byte) seal {
	fields := ""
	for _, f := range reflect.VisibleFields(reflect.TypeFor[journal.Entry]()) {
		fields += fmt.Sprintf(" %s %s", f.Name, f.Type)
	}
	// Installations that share a bus do not hear each other.
	return seal{key: mac(secret, "hint"+fields), subject: "belfry.log." + hex.EncodeToString(mac(secret, "subject")[:8])}
}

func mac[T string | []byte](key []byte, message T) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// wrap gives the message: the signature, then JSON.
func (s seal) wrap(h hint) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // a payload arrives letter for letter as it was published
	if err := encoder.Encode(h); err != nil {
		return nil, err
	}
	return append(mac(s.key, body.Bytes()), body.Bytes()...), nil
}

// unwrap gives what was told; ok is false for what no node of this installation and version has said.
func (s seal) unwrap(message []byte) (h hint, ok bool) {
	if len(message) < sha256.Size {
		return hint{}, false
	}
	signature, body := message[:sha256.Size], message[sha256.Size:]
	if !hmac.Equal(signature, mac(s.key, body)) {
		return hint{}, false
	}
	return h, json.Unmarshal(body, &h) == nil
}
