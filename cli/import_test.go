package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func csvFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const staff = `username,display_name,Email,role,groups,disabled
anna,"Blume, Anna",a@example.org,admin,ops; night,
Bob,,b@example.org,,ops,false
carl,,,,,true
`

func TestImport(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		for _, group := range []string{"ops", "night"} {
			s.ok("", "group", "add", group)
		}
		file := csvFile(t, staff)
		const passedOver = "belfry: no such thing is kept of people, and was passed over: email\n"
		run := func(want string, flags ...string) {
			t.Helper()
			r := s.run("", append([]string{"user", "import", file}, flags...)...)
			if r.code != exitDone || r.err != passedOver || r.out != want {
				t.Errorf("%v: exit %d\n%s%swant\n%s", flags, r.code, r.out, r.err, want)
			}
		}
		people := "line 2: added anna\nline 3: added Bob\nline 4: added carl\n3 added, 0 changed, 0 unchanged, 0 refused"
		run(people+"; nothing was done\n", "--dry-run")
		if list := s.ok("", "user", "list", "--json"); list != "[]\n" {
			t.Errorf("trying has added %s", list)
		}
		run(people + "; who was added has no password: user reset-link NAME, or this again with --reset-links\n")
		want := []string{"NAME ROLE STATE DISPLAYED", "anna admin enabled Blume,", "Bob user enabled Bob", "carl user disabled carl"}
		same(t, columns(s.ok("", "user", "list"), 0, 1, 2, 4), want...)
		groups := s.ok("", "group", "list")
		same(t, columns(groups, 0, 3), "NAME MEMBERS", "night anna", "ops anna,Bob")

		before := s.rows()
		run("line 2: unchanged anna\nline 3: unchanged Bob\nline 4: unchanged carl\n0 added, 0 changed, 3 unchanged, 0 refused\n")
		if after := s.rows(); after != before {
			t.Errorf("again it has changed something: %s, before %s", after, before)
		}

		// A link for each who has no password and may sign in, and for nobody else.
		s.ok("battery staple", "user", "passwd", "bob", "--password-stdin")
		r := s.run("", "user", "import", file, "--reset-links")
		if links := regexp.MustCompile(`(?m)^line (\d): unchanged \w+ http://localhost:8080/reset#\S{20,}$`).FindAllStringSubmatch(r.out, -1); r.code != exitDone || len(links) != 1 || links[0][1] != "2" {
			t.Errorf("exit %d\n%s", r.code, r.out)
		}

		file = csvFile(t, strings.NewReplacer("Blume, Anna", "Anna", ",true", ",false").Replace(staff))
		run("line 2: changed anna: display_name\nline 3: unchanged Bob\nline 4: changed carl: disabled\n0 added, 2 changed, 1 unchanged, 0 refused\n")
	})
}

// rows counts what an import could write.
func (s shell) rows() string {
	s.t.Helper()
	db := s.open()
	defer db.Close()
	var counts string
	err := db.Read.Raw("SELECT (SELECT count(*) FROM users) || ' ' || (SELECT count(*) FROM memberships) || ' ' || (SELECT count(*) FROM audit) || ' ' || (SELECT head FROM log_head)").Scan(&counts).Error
	if err != nil {
		s.t.Fatal(err)
	}
	return counts
}

// TestImportFaults: what is wrong with a line keeps no other back, and is told with its number.
func TestImportFaults(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		s.ok("", "group", "add", "ops")
		file := csvFile(t, "\ufeffusername;role;groups;disabled\r\nanna;;ops;\r\nbad name;;;\r\n\r\nANNA;;;\r\ncarl;king;;\r\ndora;;ops none;\r\neve;;;perhaps\r\nfay;\r\n..;;;\r\n\"gus\";\"User\";\"ops,\nops\";\r\nhugo;;;\r\n;;;\r\n")
		r := s.run("", "user", "import", file, "--json")
		var lines []imported
		if err := json.Unmarshal([]byte(r.out), &lines); err != nil || r.code != exitFailed || r.err != "belfry: 7 of 10 lines refused\n" {
			t.Fatalf("exit %d, %v\n%s%s", r.code, err, r.out, r.err)
		}
		const rule = "username: expected 1 to 64 characters"
		for i, want := range []imported{
			{2, "anna", "added", []string{"groups"}, "", ""},
			{3, "bad name", "refused", nil, rule, ""},
			{5, "ANNA", "refused", nil, "stands on line 2 already", ""},
			{6, "carl", "refused", nil, "role: expected user or admin", ""},
			{7, "dora", "refused", nil, "There is no group none", ""},
			{8, "eve", "refused", nil, "disabled: expected true or false", ""},
			{9, "fay", "refused", nil, "has 2 fields, the first line 4", ""},
			{10, "..", "refused", nil, rule, ""},
			{11, "gus", "added", []string{"groups"}, "", ""},
			{13, "hugo", "added", nil, "", ""},
		} {
			have := lines[i]
			if have.Line != want.Line || have.Username != want.Username || have.Result != want.Result || !strings.Contains(have.Error, want.Error) || (want.Error == "") != (have.Error == "") || !slices.Equal(have.Changes, want.Changes) {
				t.Errorf("%+v, want %+v", have, want)
			}
		}
		// dora was not added though only her second group is wrong.
		same(t, columns(s.ok("", "user", "list"), 0), "NAME", "anna", "gus", "hugo")
		same(t, columns(s.ok("", "group", "list"), 0, 3), "NAME MEMBERS", "ops anna,gus")
	})
}

// TestImportOfTheWrongFile does nothing at all.
func TestImportOfTheWrongFile(t *testing.T) {
	s := sqliteShell(t)
	for text, want := range map[string]string{
		"":                                  "the file is empty",
		"name,role\nanna,user\n":            "there is no column username",
		"username,password\nanna,hunter2\n": "a column password",
		"username,role,Role\nanna,,\n":      "the column role is there twice",
		"username\nanna\n\"bob\ncarl\n":     "nothing was imported: record on line 3",
		"username\nanna\n\xff\n":            "not UTF-8",
		"username\nanna\x00\n":              "not UTF-8",
	} {
		s.refused(exitFailed, want, text, "user", "import", "-")
	}
	s.refused(exitFailed, "no such file", "", "user", "import", filepath.Join(t.TempDir(), "none.csv"))
	s.refused(exitFailed, "larger than 64 MiB", "username\n"+strings.Repeat("x", maxImport), "user", "import", "-")
	if list := s.ok("", "user", "list", "--json"); list != "[]\n" {
		t.Errorf("imported %s", list)
	}
}

// TestImportStopsWhereNothingGoes: what stands in the way of every line is said once, after what was done.
func TestImportStopsWhereNothingGoes(t *testing.T) {
	url, asked := api(t, map[string]string{
		"PUT /users/anna":             `{"result":"added","changes":[],"user":{"username":"anna","has_password":false}}`,
		"POST /users/anna/reset-link": `{"url":"https://bell.example/reset#t","expires_at":"2026-01-02T03:04:05.678Z"}`,
	})
	s := sqliteShell(t)
	s.open()
	s.environ = append(s.environ, "BELFRY_URL="+url, "BELFRY_KEY=bfk_good")
	r := s.run("username,role\nanna,admin\nbob,\ncarl,\n", "user", "import", "-", "--reset-links")
	if r.code != exitFailed || !strings.HasPrefix(r.out, "line 2: added anna https://bell.example/reset#t\n1 added, ") || !strings.Contains(r.err, "line 3 and those after it were not looked at; run it again") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if want := []string{`PUT /users/anna {"role":"admin"}`, "POST /users/anna/reset-link", "PUT /users/bob {}"}; !slices.Equal(*asked, want) {
		t.Errorf("asked %q", *asked)
	}
}
