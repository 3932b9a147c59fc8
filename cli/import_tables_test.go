package cli

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"belfry/client"
)

// TestReadPeople goes through the tables that the page reads too, when an administrator imports there.
func TestReadPeople(t *testing.T) {
	raw, err := os.ReadFile("../web/src/composables/people_tables.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Text, Refused string
		Unknown             []string
		People              []struct {
			Line            int
			Username, Fault string
			Want            client.WantedUser
		}
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 15 {
		t.Fatalf("%d cases", len(cases))
	}
	said := map[string]string{"fields": "fields", "name": "username:", "role": "role:", "disabled": "disabled:", "again": "already"}
	for _, c := range cases {
		people, err := readPeople(strings.NewReader(c.Text))
		if (err != nil) != (c.Refused != "") {
			t.Errorf("%s: %v", c.Name, err)
		}
		if err != nil {
			continue
		}
		if strings.Join(people.unknown, ",") != strings.Join(c.Unknown, ",") || len(people.lines) != len(c.People) {
			t.Errorf("%s: unknown %v, %d lines", c.Name, people.unknown, len(people.lines))
			continue
		}
		for i, want := range c.People {
			have := people.lines[i]
			if have.number != want.Line || have.username != want.Username || (have.fault == "") != (want.Fault == "") || !strings.Contains(have.fault, said[want.Fault]) {
				t.Errorf("%s: line %d, %s: %q, want line %d, %s: %q", c.Name, have.number, have.username, have.fault, want.Line, want.Username, want.Fault)
			}
			if want.Fault == "" && (!reflect.DeepEqual(have.want.DisplayName, want.Want.DisplayName) || !reflect.DeepEqual(have.want.Role, want.Want.Role) ||
				!reflect.DeepEqual(have.want.Disabled, want.Want.Disabled) || strings.Join(have.want.Groups, " ") != strings.Join(want.Want.Groups, " ")) {
				t.Errorf("%s: line %d: %+v, want %+v", c.Name, have.number, have.want, want.Want)
			}
		}
	}
}
