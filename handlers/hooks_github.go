package handlers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
)

// GitHubInput is what GitHub says beside the body. It is exported because huma passes over embedded structs that are not.
type GitHubInput struct {
	Event       string `header:"X-GitHub-Event" required:"true" pattern:"^[a-z_]{1,64}$" doc:"What the call is about, as push"`
	ContentType string `header:"Content-Type" hidden:"true"`
}

type signedGitHubInput struct {
	GitHubInput
	ID        string `path:"id" doc:"The id of the key whose hook the call is signed for"`
	Signature string `header:"X-Hub-Signature-256" required:"true" doc:"Of the body, under the secret of the hook"`
}

// githubRoute registers a route that GitHub calls: with JSON, or with a form that holds it, as it is told to.
func githubRoute[I any](s *Server, api huma.API, rule middleware.Rule, path string, handler func(context.Context, *I) (*hookOutput, error)) {
	route(s, api, rule, http.MethodPost, path, handler)
	payload := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "As GitHub makes it"}
	fields := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"payload": {Type: huma.TypeString}}, Required: []string{"payload"}}
	api.OpenAPI().Paths[path].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: payload}, form: {Schema: fields}}}
}

func (s *Server) receiveSignedGitHub(ctx context.Context, in *signedGitHubInput) (*hookOutput, error) {
	return s.receiveGitHub(ctx, &in.GitHubInput)
}

var errGitHub = models.InvalidField("body", "An object, as GitHub sends it for the event.")

// receiveGitHub publishes what an event says, or nothing where it is no news.
func (s *Server) receiveGitHub(ctx context.Context, in *GitHubInput) (*hookOutput, error) {
	raw, err := githubPayload(in.ContentType, middleware.RawBody(ctx))
	if err != nil {
		return nil, err
	}
	content, err := githubNotice(in.Event, raw)
	if err != nil {
		return nil, err
	}
	if content == nil {
		return s.publishHook(ctx, nil)
	}
	// What is signed is the body alone. A call that somebody has recorded and sends again is known by it, whatever its
	// X-GitHub-Delivery says; GitHub's own repeats have the same body.
	sum := sha256.Sum256(raw)
	once, err := repeatable(ctx, hex.EncodeToString(sum[:]), "body", "POST /hooks/github", raw)
	once.Principal += hookNames
	return s.publishHook(ctx, []hookItem{{content: *content, preset: "github", once: once, err: err}})
}

// githubPayload takes the JSON out of a form, where it is one.
func githubPayload(contentType string, body []byte) ([]byte, error) {
	media := mediaType(contentType)
	if isJSON(media) {
		return body, nil
	}
	if media != form {
		return nil, huma.NewError(http.StatusUnsupportedMediaType, "")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil || len(values["payload"]) != 1 {
		return nil, models.InvalidField("payload", "One, as GitHub sends it.")
	}
	return []byte(values.Get("payload")), nil
}

// githubAbout is what all events have in common.
type githubAbout struct {
	Event  string `json:"-"`
	Action string `json:"action"`
	Sender struct {
		Login string `json:"login"`
	} `json:"sender"`
	Repository struct {
		FullName string `json:"full_name"`
		HTMLURL  string `json:"html_url"`
	} `json:"repository"`
	Organization struct {
		Login string `json:"login"`
	} `json:"organization"`
}

// place is where it happened: a repository, an organization, or GitHub at large.
func (a *githubAbout) place() string {
	return cmp.Or(a.Repository.FullName, a.Organization.Login, "GitHub")
}

// key names an object whose state changes, so that it has one row in an inbox.
func (a *githubAbout) key(kind, object string) *string {
	return new(collapseKey("github:" + a.place() + ":" + kind + ":" + object))
}

// githubNotice is what an event says; nil where it is no news.
func githubNotice(event string, raw []byte) (*models.NoticeContent, error) {
	about := &githubAbout{Event: event}
	if err := readObject(raw, about); err != nil {
		return nil, err
	}
	read, known := githubEvents[event]
	if !known {
		read = readOtherEvent
	}
	content, err := read(about, raw)
	if content == nil || err != nil {
		return nil, err
	}
	content.Title, content.Body = shortened(content.Title, models.MaxTitle), cutTo(content.Body, models.MaxBody)
	if content.URL == nil {
		content.URL = link(about.Repository.HTMLURL)
	}
	content.Data, err = json.Marshal(map[string]any{"event": event, "action": about.Action, "repository": about.Repository.FullName, "sender": about.Sender.Login})
	return content, err
}

// readObject reads a JSON object and nothing else.
func readObject(raw []byte, into any) error {
	if !startsObject.Match(raw) {
		return errGitHub
	}
	if err := readJSON(raw, into); err != nil {
		return errGitHub
	}
	return nil
}

var startsObject = regexp.MustCompile(`^[ \t\r\n]*\{`)
