package cli

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDoctorUsage(t *testing.T) {
	s := shell{t, nil}
	for _, address := range []string{"", "bell.example.org", "ftp://h", "https://", "http://h/?token=canary", "http://anna:canary@h"} {
		r := s.run("", "doctor", address)
		if r.code != exitUsage || !strings.Contains(r.err, "expected a URL") || strings.Contains(r.err, "canary") {
			t.Errorf("%q: exit %d, %s", address, r.code, r.err)
		}
	}
	s.refused(exitUsage, "--idle", "", "doctor", "http://h", "--idle", "500ms")
	s.refused(exitUsage, "--idle", "", "doctor", "http://h", "--idle", "2m")
	s.refused(exitUsage, "--streams", "", "doctor", "http://h", "--streams", "0")
	s.refused(exitUsage, "--ca", "", "doctor", "https://h", "--ca", filepath.Join(t.TempDir(), "none"))
	s.refused(exitUsage, "--ca", "", "doctor", "https://h", "--ca", "doctor_test.go")
	s.refused(exitUsage, "--password-stdin", "", "doctor", "http://h", "--user", "anna")
}

// TestDoctorOfWhatIsNotBelfry says so, and ends at once.
func TestDoctorOfWhatIsNotBelfry(t *testing.T) {
	for want, answer := range map[string]http.HandlerFunc{
		"no event stream": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<h1>")) },
		"answers 404":     http.NotFound,
		"it redirects":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"finds no Belfry": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte(": no node answers\nretry: 2000\n\n"))
		},
	} {
		server := httptest.NewServer(answer)
		r := shell{t, nil}.run("", "doctor", server.URL)
		if r.code != exitFailed || strings.Count(r.out, "\n") != 1 || !strings.HasPrefix(r.out, "wrong") || !strings.Contains(r.out, want) || !strings.Contains(r.out, "nginx: ") {
			t.Errorf("%s: exit %d, %s", want, r.code, r.out)
		}
		server.Close()
	}
	r := shell{t, []string{"BELFRY_URL=http://127.0.0.1:1"}}.run("", "doctor", "--json")
	if r.code != exitFailed || !strings.Contains(r.out, `"check":"reach","result":"wrong"`) || r.err != "belfry: 1 finding is wrong\n" {
		t.Errorf("exit %d, %s%s", r.code, r.out, r.err)
	}
}

// TestDoctorSeesBursts: ticks that were held back come together.
func TestDoctorSeesBursts(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range rhythmTicks {
			at := time.Now().Add(time.Duration(n-rhythmTicks) * time.Second)
			_, _ = w.Write([]byte(`data: {"now": "` + at.UTC().Format(time.RFC3339Nano) + "\"}\n\n"))
		}
	}))
	defer server.Close()
	d := &doctor{base: server.URL}
	if f := d.rhythm(t.Context()); f[0].Result != resultWrong || f[0].Fix != fixBuffering {
		t.Errorf("%+v", f)
	}
}

func TestSameHost(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"a.example", "A.example:443"}: true, {"a.example:80", "a.example"}: true, {"a.example:8443", "a.example"}: false, {"belfry", "a.example"}: false,
	} {
		if sameHost(pair[0], pair[1]) != want {
			t.Errorf("%v: %v", pair, !want)
		}
	}
}
