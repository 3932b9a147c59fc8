package testoidc

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// Browser is somebody at the provider's form. It keeps the provider's cookies, and none of the client's.
type Browser struct {
	p    *Provider
	http *http.Client
}

// Browser is a new one, that nobody has signed in with.
func (p *Provider) Browser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b := &Browser{p: p, http: &http.Client{Jar: jar, Transport: transport}}
	b.http.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), p.client.RedirectURI) {
			return http.ErrUseLastResponse // what comes after is the client's own
		}
		return nil
	}
	return b
}

// Visit goes where a client sends the browser. It gives what the provider sent to the client's redirect URI, or nil if the
// form is shown, and the form's request.
func (b *Browser) Visit(t testing.TB, address string) (returned url.Values, request string) {
	t.Helper()
	resp, err := b.http.Get(address) //nolint:noctx // ends with the test
	if err != nil {
		t.Fatal(err)
	}
	return b.read(t, resp)
}

// SignIn visits the address and gives the password, if it is asked for.
func (b *Browser) SignIn(t testing.TB, address, username, password string) url.Values {
	t.Helper()
	returned, request := b.Visit(t, address)
	if returned != nil {
		return returned
	}
	resp, err := b.http.PostForm(b.p.issuer+"/login", url.Values{"id": {request}, "username": {username}, "password": {password}}) //nolint:noctx // ends with the test
	if err != nil {
		t.Fatal(err)
	}
	returned, _ = b.read(t, resp)
	return returned
}

func (b *Browser) read(t testing.TB, resp *http.Response) (returned url.Values, request string) {
	t.Helper()
	defer resp.Body.Close()
	if to, err := resp.Location(); err == nil {
		return to.Query(), ""
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, shown := strings.Cut(string(page), `name="id" value="`)
	if !shown {
		t.Fatalf("the provider answered %d: %s", resp.StatusCode, page)
	}
	request, _, _ = strings.Cut(rest, `"`)
	return nil, request
}
