package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"belfry/client"
	"belfry/models"
)

// maxImport bounds the file, should it be the wrong one.
const maxImport = 64 << 20

// table is a file of people.
type table struct {
	lines   []person
	unknown []string // columns that say nothing to us
}

// person is a line of it.
type person struct {
	number   int // of the line in the file, the first being 1
	username string
	want     client.WantedUser
	fault    string // what is wrong with it; nothing else was read then
}

// importColumns are those that are understood.
var importColumns = []string{"username", "display_name", "role", "groups", "disabled"}

// readPeople reads a table (RFC 4180). What spreadsheets make of one is understood: a byte order mark, semicolons between the
// fields, lines of nothing but separators at the end. A fault of the whole file is an error, for after a quote too many nobody
// knows what belongs where.
func readPeople(from io.Reader) (*table, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxImport+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxImport {
		return nil, errors.New("the file is larger than 64 MiB")
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) || bytes.ContainsRune(text, 0) {
		return nil, errors.New("the file is not UTF-8 text; save it as CSV UTF-8")
	}
	rows := csv.NewReader(bytes.NewReader(text))
	rows.FieldsPerRecord, rows.Comma = -1, separator(text)
	header, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; its first line names the columns")
	}
	if err != nil {
		return nil, err
	}
	people := &table{}
	at, err := people.header(header)
	if err != nil {
		return nil, err
	}
	first := map[string]int{} // on which line a name stands
	for {
		fields, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return people, nil
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(fields, func(f string) bool { return strings.TrimSpace(f) != "" }) {
			continue
		}
		number, _ := rows.FieldPos(0)
		line := readPerson(number, fields, at, len(header))
		lower := strings.ToLower(line.username)
		if earlier, again := first[lower]; again && line.fault == "" {
			line.fault = fmt.Sprintf("stands on line %d already", earlier)
		} else if !again {
			first[lower] = number
		}
		people.lines = append(people.lines, line)
	}
}

// separator is a comma; or a semicolon, as spreadsheets write where a comma is part of numbers.
func separator(text []byte) rune {
	header, _, _ := bytes.Cut(text, []byte("\n"))
	if bytes.ContainsRune(header, ';') && !bytes.ContainsRune(header, ',') {
		return ';'
	}
	return ','
}

// header tells where each column is.
func (t *table) header(names []string) (at map[string]int, err error) {
	at = map[string]int{}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		_, twice := at[name]
		switch {
		case name == "password":
			return nil, errors.New("the file has a column password: take it out, for files are copied; people set theirs by a link (--reset-links)")
		case twice:
			return nil, fmt.Errorf("the column %s is there twice", printable(name))
		case slices.Contains(importColumns, name):
			at[name] = i
		case name != "":
			t.unknown = append(t.unknown, name)
		}
	}
	if _, there := at["username"]; !there {
		return nil, errors.New("there is no column username; the first line names the columns: " + strings.Join(importColumns, ", "))
	}
	return at, nil
}

func readPerson(number int, fields []string, at map[string]int, width int) person {
	line := person{number: number}
	get := func(column string) string {
		i, there := at[column]
		if !there || i >= len(fields) {
			return ""
		}
		return strings.TrimSpace(fields[i])
	}
	line.username = get("username")
	switch {
	case len(fields) != width:
		line.fault = fmt.Sprintf("has %d fields, the first line %d", len(fields), width)
		return line
	case !models.ValidName(line.username):
		line.fault = "username: expected " + models.NameRule
		return line
	}
	if name := get("display_name"); name != "" {
		line.want.DisplayName = &name
	}
	if role := strings.ToLower(get("role")); role != "" {
		line.want.Role = &role
	}
	line.want.Groups = strings.FieldsFunc(get("groups"), func(r rune) bool { return r == ';' || r == ',' || unicode.IsSpace(r) })
	if text := strings.ToLower(get("disabled")); text != "" {
		disabled, err := strconv.ParseBool(text)
		if err != nil {
			line.fault = "disabled: expected true or false"
			return line
		}
		line.want.Disabled = &disabled
	}
	if role := line.want.Role; role != nil && *role != client.RoleUser && *role != client.RoleAdmin {
		line.fault = "role: expected user or admin"
	}
	return line
}
