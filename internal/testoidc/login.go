package testoidc

import (
	"crypto/rand"
	"crypto/subtle"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// cookie names a browser that somebody signed in with. Its name is not that of any client on the same host.
const cookie = "testoidc"

var form = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in at the provider</title></head>
<body><main><h1>Sign in at the provider</h1>
{{if .Wrong}}<p role="alert">The name or the password is wrong.</p>{{end}}
<form method="post" action="/login">
<input type="hidden" name="id" value="{{.ID}}">
<p><label>Name <input name="username" autocomplete="username" required autofocus></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Sign in</button></p>
</form></main></body></html>
`))

type formData struct {
	ID    string
	Wrong bool
}

// login is where a client's request leads: on at once, if this browser signed in before and the client does not want
// more; to the form else.
func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("id")
	p.mu.Lock()
	asked, known := p.requests[id]
	if !known {
		p.mu.Unlock()
		http.Error(w, "This sign-in is over.", http.StatusBadRequest)
		return
	}
	if s := p.sessionOf(r); s != nil && !asked.fresh(s) {
		p.complete(asked, s)
		p.mu.Unlock()
		p.goOn(w, r, id)
		return
	}
	p.mu.Unlock()
	p.ask(w, http.StatusOK, formData{ID: id})
}

// fresh reports whether the client wants the password to be given anew, though there is a session
// (OpenID Connect Core §3.1.2.1). The library takes prompt=login for max_age=0.
func (r *request) fresh(s *session) bool {
	if slices.Contains(r.asked.Prompt, oidc.PromptLogin) {
		return true
	}
	return r.asked.MaxAge != nil && time.Now().Unix()-s.authTime >= int64(*r.asked.MaxAge) //nolint:gosec // seconds
}

func (p *Provider) ask(w http.ResponseWriter, status int, data formData) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = form.Execute(w, data) // whether it arrives or not
}

// proveLogin takes the form.
func (p *Provider) proveLogin(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	p.mu.Lock()
	asked, known := p.requests[id]
	u, found := p.named(r.PostFormValue("username"))
	right := found && subtle.ConstantTimeCompare([]byte(u.Password), []byte(r.PostFormValue("password"))) == 1
	if !known || !right {
		p.mu.Unlock()
		p.ask(w, http.StatusUnauthorized, formData{ID: id, Wrong: true})
		return
	}
	s := p.sessionOf(r)
	if s == nil || s.subject != u.Subject {
		s = &session{id: rand.Text(), subject: u.Subject}
		name := rand.Text()
		p.sessions[name] = s
		http.SetCookie(w, &http.Cookie{Name: cookie, Value: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // http on loopback
	}
	s.authTime = time.Now().Unix()
	p.complete(asked, s)
	p.mu.Unlock()
	p.goOn(w, r, id)
}

func (p *Provider) sessionOf(r *http.Request) *session {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil
	}
	return p.sessions[c.Value]
}

// complete decides a request.
func (p *Provider) complete(r *request, s *session) {
	r.Subject, r.SessionID, r.AuthTime, r.completed = s.subject, s.id, time.Unix(s.authTime, 0), true
	if p.tamper != nil {
		p.tamper(&r.SignIn)
	}
}

// goOn leads back to the library, which makes the code and sends the browser to the client.
func (*Provider) goOn(w http.ResponseWriter, r *http.Request, id string) {
	http.Redirect(w, r, "/authorize/callback?"+url.Values{"id": {id}}.Encode(), http.StatusFound)
}
