package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// blocks are the commands that the page for operators has between two headings, one text a block.
func blocks(t *testing.T, root, from, to string) (list []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n"+from+"\n")
	section, _, closed := strings.Cut(section, "\n"+to)
	if !found || !closed {
		t.Fatalf("docs/operate.md has nothing between %q and %q", from, to)
	}
	for block := range strings.SplitSeq(section, "\n\n") {
		if strings.HasPrefix(block, "    ") {
			list = append(list, block+"\n")
		}
	}
	return list
}

// TestInstallAsDocumented is an operator who knows nothing but docs/operate.md: from the tarball to a site with TLS, to the next
// release, and through a loss of either database. Every command is the page's.
func TestInstallAsDocumented(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a machine to install it on")
	}
	r := newRelease(t)
	if err := r.pack(linux, built(t), []byte("notices")); err != nil {
		t.Fatal(err)
	}
	if err := r.writeSums(); err != nil {
		t.Fatal(err)
	}
	said, err := machine(t, r.out, walk(t, r.root))
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{"linux-amd64.tar.gz: OK", "the page: 200", "the stream: ok", "next release: ok",
		"PostgreSQL: [\"before\"]", "SQLite: [\"before\"]", "the end"} {
		if !strings.Contains(said, want+"\n") {
			t.Errorf("nobody says %q", want)
		}
	}
	if t.Failed() {
		t.Log(said)
	}
}

// walk is all that the operator types, and looks at what came of it.
func walk(t *testing.T, root string) string {
	t.Helper()
	install := blocks(t, root, "## Install", "### More nodes")
	save := blocks(t, root, "## Back up and restore", "## Watch")
	if len(install) < 7 || len(save) != 4 {
		t.Fatalf("the page has %d blocks for installing and %d for bringing back", len(install), len(save))
	}
	var script strings.Builder
	for _, block := range install {
		script.WriteString(block)
		if strings.Contains(block, "belfry.env /etc/belfry") {
			script.WriteString("echo BELFRY_HEARTBEAT=1s >> /etc/belfry/belfry.env\n") // the doctor watches two of them
		}
	}
	script.WriteString(ways)
	script.WriteString("install belfry /usr/local/bin/; systemctl restart belfry; answers 'next release: ok'\n")
	script.WriteString("send before\n" + save[0] + "send after\n" + save[1] + "inbox PostgreSQL\n")
	script.WriteString(moveToSQLite)
	script.WriteString("send before\n" + save[2] + "send after\n" + save[3] + "inbox SQLite\necho the end\n")
	return script.String()
}

// ways are what a browser or a publisher would do, through nginx.
const ways = `
site="curl -sS --fail --cacert /etc/nginx/belfry.crt"
curl -sS -o /dev/null -w 'the page: %{http_code}\n' --cacert /etc/nginx/belfry.crt https://belfry.example/
answers() { $site -o /dev/null https://belfry.example/readyz && echo "$1"; }
first=$($site -N "https://belfry.example/sse/clock?every=1" | head -n 1) || true
case $first in retry:*|data:*) echo "the stream: ok";; *) echo "the stream: $first";; esac
key=$(belfry key create publisher --scope notices:write)
send() { $site -o /dev/null -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "{\"to\":{\"everyone\":true},\"title\":\"$1\"}" https://belfry.example/api/v1/notices; }
inbox() {
  cookie=$($site -D - -o /dev/null -H 'Content-Type: application/json' -d "{\"username\":\"admin\",\"password\":\"$(cat /root/belfry-admin)\"}" https://belfry.example/api/v1/login |
    tr -d '\r' | sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\).*/\1/p')
  echo "$1: $($site -H "Cookie: $cookie" https://belfry.example/api/v1/notices | jq -c '[.items[].title]')"
}
`

// moveToSQLite begins anew with the other database, as its section has it.
const moveToSQLite = `
systemctl stop belfry
echo "sqlite:/var/lib/belfry/belfry.db" > /etc/belfry/database_url
systemctl start belfry; systemctl stop belfry
belfry user add admin --admin --password-stdin < /root/belfry-admin
key=$(belfry key create publisher --scope notices:write)
chown --reference=/var/lib/belfry /var/lib/belfry/*
systemctl start belfry
`
