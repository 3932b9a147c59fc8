package handlers_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

// kept is the description as the front end's types are made of it.
const kept = "../web/openapi.json"

var updateDescription = flag.Bool("update-description", false, "write "+kept+" anew")

// TestKeptDescription: the file is what the server says. `make api` writes it anew, and the types with it.
func TestKeptDescription(t *testing.T) {
	t.Parallel()
	s := newSite(t, sqliteAddress(t), nil)
	var served map[string]any
	if err := json.Unmarshal(s.nobody().get("/api/openapi.json").want(200).body, &served); err != nil {
		t.Fatal(err)
	}
	served["info"].(map[string]any)["version"] = "0" // each build has its own
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(served); err != nil {
		t.Fatal(err)
	}
	if *updateDescription {
		if err := os.WriteFile(kept, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, text.Bytes()) {
		t.Error("web/openapi.json is not what the server says: make api")
	}
}
