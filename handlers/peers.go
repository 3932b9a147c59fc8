package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// peers answers what senders of other servers send, in the shapes of those, so that a sender needs a new address and a new
// token and no more. It comes before the page; what is not for a peer is left to that.
func (s *Server) peers(c *gin.Context) {
	switch {
	case s.isForGotify(c):
		c.Header("Cache-Control", "no-store")
		s.gotify(c)
	case s.isForNtfy(c):
		c.Header("Cache-Control", "no-store")
		s.ntfy(c)
	default:
		return
	}
	c.Abort()
}

func (s *Server) isForGotify(c *gin.Context) bool {
	return s.Gotify && c.Request.URL.Path == gotifyPath
}

func (s *Server) isForNtfy(c *gin.Context) bool {
	return s.Ntfy && isNtfy(c.Request.Method, c.Request.URL.Path)
}

// isForPeer reports whether a sender of another server gets the answer, which then has the shape of that one.
func (s *Server) isForPeer(c *gin.Context) bool { return s.isForGotify(c) || s.isForNtfy(c) }

var (
	errNoToken  = models.Errorf(models.CodeUnauthenticated, "Send an API key as the token, in a header.")
	errBadToken = models.Errorf(models.CodeUnauthenticated, "The token is not valid.")
	errNoRight  = models.Errorf(models.CodeForbidden, "The token may not publish: its key needs the scope notices:write.")
	errOnlyPOST = models.Errorf(models.CodeMethodNotAllowed, "Publish by POST: nothing changes on GET.")

	errGotifyQuery = models.Errorf(models.CodeUnauthenticated, "A token does not belong into an address, which logs keep: send it in a header, X-Gotify-Key: TOKEN.")
	errNtfyQuery   = models.Errorf(models.CodeUnauthenticated, "A token does not belong into an address, which logs keep: send it in a header, Authorization: Bearer TOKEN.")
)

// asKey finds out which key a peer's sender has. A user's session does not count: a page of another origin could use it.
func (s *Server) asKey(c *gin.Context, token string) (*models.Key, error) {
	if token == "" {
		return nil, errNoToken
	}
	key, err := s.Keys.Resolve(c.Request.Context(), token)
	switch {
	case models.CodeOf(err) == models.CodeUnauthenticated:
		return nil, errBadToken
	case err != nil:
		return nil, err
	case !key.Has(models.ScopeNoticesWrite):
		return nil, errNoRight
	}
	middleware.AsKey(c, key)
	return key, nil
}

// token is the credential of an Authorization header: a bearer's, or the password of a pair, whatever the name.
func token(c *gin.Context) string {
	if _, password, ok := c.Request.BasicAuth(); ok {
		return password
	}
	token, _ := middleware.Bearer(c)
	return token
}

// peerBody reads a body, within the bound of our own routes.
func peerBody(c *gin.Context) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, middleware.MaxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, models.Errorf(models.CodeTooLarge, "The message is too large.")
	}
	if err != nil {
		return nil, &models.Error{Code: models.CodeUnreadable, Detail: "The body cannot be read.", Err: err}
	}
	return raw, nil
}

// readJSON reads a body that is one.
func readJSON(raw []byte, into any) error {
	if err := middleware.CheckText(raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return &models.Error{Code: models.CodeUnreadable, Detail: "The body is no JSON of a message.", Err: err}
	}
	return nil
}

// checkPeer holds what came by a form or a header to the rule of texts.
func checkPeer(content *models.NoticeContent) error {
	if !utf8.ValidString(content.Title) || !utf8.ValidString(content.Body) {
		return errPeerText
	}
	text, err := json.Marshal(content)
	if err != nil || middleware.CheckText(text) != nil {
		return errPeerText
	}
	return nil
}

var errPeerText = models.InvalidField("message", "UTF-8 text without NUL.")

// publishForPeer publishes, once for each Idempotency-Key.
func (s *Server) publishForPeer(c *gin.Context, key *models.Key, out services.Outgoing) (services.Published, error) {
	if err := checkPeer(&out.Content); err != nil {
		return services.Published{}, err
	}
	if once := c.GetHeader("Idempotency-Key"); once != "" {
		// What it says, wherever that stood: senders of ntfy put most of it into headers.
		content, err := json.Marshal(out)
		if err != nil {
			return services.Published{}, err
		}
		if out.Once, err = repeatable(c.Request.Context(), once, "Idempotency-Key", "POST "+c.Request.URL.Path, content); err != nil {
			return services.Published{}, err
		}
	}
	quota, err := s.spend(c.Request.Context(), 1)
	quota.each(c.Header)
	if err != nil {
		return services.Published{}, err
	}
	return s.Notices.Publish(c.Request.Context(), &services.Principal{Key: key}, out)
}

// refusal is what a peer's sender may know of an error: a status that the peer knows too, and words.
func (s *Server) refusal(c *gin.Context, err error) (status int, words string) {
	p := middleware.ProblemOf(c.Request.Context(), s.Log, err)
	status, words = p.Status, p.Detail
	for _, e := range p.Errors {
		words += " " + e.Field + ": " + e.Detail
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	middleware.RetryAfter(c, p)
	return status, words
}

// shortened cuts a text to so many characters; an ellipsis is the last of what was longer.
func shortened(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// cutTo cuts a text to so many bytes, between characters; an ellipsis is the last of what was longer.
func cutTo(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit {
		return text
	}
	end := limit - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// collapseKey is a text as a collapse key: one that is too long is cut, and what is left out stands there as its hash, so that
// two texts never have one key.
func collapseKey(text string) string {
	if utf8.RuneCountInString(text) <= models.MaxCollapseKey {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return string([]rune(text)[:models.MaxCollapseKey-2*len(sum)]) + hex.EncodeToString(sum[:])
}

// link is an address that a notice may lead to, or nil: peers let through what only their own apps can open.
func link(address string) *string {
	if address = strings.TrimSpace(address); !services.ValidLink(address) {
		return nil
	}
	return &address
}
