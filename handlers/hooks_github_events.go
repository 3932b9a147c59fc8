package handlers

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"belfry/models"
)

// githubEvents reads the events that most hooks are for. An action that is not named here is no news: labels, assignments,
// and that a run has begun.
var githubEvents = map[string]func(about *githubAbout, raw []byte) (*models.NoticeContent, error){
	"ping":         readPing,
	"push":         readPush,
	"pull_request": readPullRequest,
	"issues":       readIssue,
	"release":      readRelease,
	"workflow_run": readWorkflowRun,
	"check_run":    readCheckRun,
}

func readPing(about *githubAbout, raw []byte) (*models.NoticeContent, error) {
	var e struct {
		Zen string `json:"zen"`
	}
	err := readObject(raw, &e)
	return &models.NoticeContent{Title: about.place() + ": the webhook works", Body: e.Zen, Severity: "success"}, err
}

// shownCommits is how many of a push are named.
const shownCommits = 10

func readPush(about *githubAbout, raw []byte) (*models.NoticeContent, error) {
	var e struct {
		Ref     string `json:"ref"`
		Created bool   `json:"created"`
		Deleted bool   `json:"deleted"`
		Forced  bool   `json:"forced"`
		Compare string `json:"compare"`
		Commits []struct {
			ID      string `json:"id"`
			Message string `json:"message"`
		} `json:"commits"`
	}
	if err := readObject(raw, &e); err != nil {
		return nil, err
	}
	name, kind := strings.TrimPrefix(e.Ref, "refs/heads/"), "branch"
	if tag, is := strings.CutPrefix(e.Ref, "refs/tags/"); is {
		name, kind = tag, "tag"
	}
	did := fmt.Sprintf("%d commits to %s", len(e.Commits), name)
	switch {
	case e.Deleted:
		did = fmt.Sprintf("%s %s deleted", kind, name)
	case e.Created:
		did = fmt.Sprintf("%s %s created", kind, name)
	case len(e.Commits) == 1:
		did = "1 commit to " + name
	}
	if e.Forced && !e.Created && !e.Deleted {
		did += ", forced"
	}
	lines := []string{}
	for i, c := range e.Commits {
		if i == shownCommits {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Commits)-i))
			break
		}
		subject, _, _ := strings.Cut(c.Message, "\n")
		lines = append(lines, c.ID[:min(len(c.ID), 7)]+" "+subject)
	}
	return &models.NoticeContent{Title: about.place() + ": " + did + by(about), Body: strings.Join(lines, "\n"), URL: link(e.Compare)}, nil
}

func readPullRequest(about *githubAbout, raw []byte) (*models.NoticeContent, error) {
	var e struct {
		PullRequest struct {
			githubNumbered
			Merged bool `json:"merged"`
			Head   struct {
				Ref string `json:"ref"`
			} `json:"head"`
			Base struct {
				Ref string `json:"ref"`
			} `json:"base"`
		} `json:"pull_request"`
	}
	if err := readObject(raw, &e); err != nil {
		return nil, err
	}
	words := map[string]string{"opened": "opened", "closed": "closed", "reopened": "reopened", "ready_for_review": "ready for review", "review_requested": "review requested"}
	did, severity := words[about.Action], "info"
	if did == "" {
		return nil, nil
	}
	if e.PullRequest.Merged && about.Action == "closed" {
		did, severity = "merged", "success"
	}
	content := e.PullRequest.notice(about, "pull", did)
	content.Severity = severity
	content.Body += "\n" + e.PullRequest.Head.Ref + " → " + e.PullRequest.Base.Ref
	return content, nil
}

func readIssue(about *githubAbout, raw []byte) (*models.NoticeContent, error) {
	var e struct {
		Issue struct {
			githubNumbered
			StateReason string `json:"state_reason"`
		} `json:"issue"`
	}
	if err := readObject(raw, &e); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"opened", "closed", "reopened", "deleted", "transferred"}, about.Action) {
		return nil, nil
	}
	content := e.Issue.notice(about, "issue", about.Action)
	if about.Action == "closed" && e.Issue.StateReason != "not_planned" {
		content.Severity = "success"
	}
	return content, nil
}

// githubNumbered is an issue or a pull request.
type githubNumbered struct {
	Number  int64  `json:"number"`
	Title   string `json:"title"`
	HTMLURL string `json:"html_url"`
}

func (n *githubNumbered) notice(about *githubAbout, kind, did string) *models.NoticeContent {
	number := strconv.FormatInt(n.Number, 10)
	return &models.NoticeContent{Title: about.place() + " #" + number + ": " + n.Title, Body: did + by(about), URL: link(n.HTMLURL), CollapseKey: about.key(kind, number)}
}

func readRelease(about *githubAbout, raw []byte) (*models.NoticeContent, error) {
	var e struct {
		Release struct {
			TagName string `json:"tag_name"`
			Name    string `json:"name"`
			Body    string `json:"body"`
			HTMLURL string `json:"html_url"`
		} `json:"release"`
	}
	if err := readObject(raw, &e); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"published", "unpublished", "deleted"}, about.Action) { // created and released come with these
		return nil, nil
	}
	content := &models.NoticeContent{Title: about.place() + ": release " + cmp.Or(e.Release.Name, e.Release.TagName) + " " + about.Action, URL: link(e.Release.HTMLURL),
		CollapseKey: about.key("release", e.Release.TagName)}
	if about.Action == "published" {
		content.Body, content.Format, content.Severity = e.Release.Body, "markdown", "success"
	}
	return content, nil
}

func readWorkflowRun(about *githubAbout, raw []byte) (*models.NoticeContent, error) {
	var e struct {
		Run struct {
			githubRun
			Number int64  `json:"run_number"`
			Branch string `json:"head_branch"`
			Title  string `json:"display_title"`
		} `json:"workflow_run"`
	}
	if err := readObject(raw, &e); err != nil || about.Action != "completed" {
		return nil, err
	}
	content := e.Run.notice(about, fmt.Sprintf("%s #%d on %s", e.Run.Name, e.Run.Number, e.Run.Branch))
	content.Body = e.Run.Title
	content.CollapseKey = about.key("run", strconv.FormatInt(e.Run.ID, 10)) // a run that is tried again keeps its id
	return content, nil
}

func readCheckRun(about *githubAbout, raw []byte) (*models.NoticeContent, error) {
	var e struct {
		Run struct {
			githubRun
			SHA    string `json:"head_sha"`
			Output struct {
				Title string `json:"title"`
			} `json:"output"`
		} `json:"check_run"`
	}
	if err := readObject(raw, &e); err != nil || about.Action != "completed" {
		return nil, err
	}
	content := e.Run.notice(about, "check "+e.Run.Name)
	content.Body = e.Run.Output.Title
	content.CollapseKey = about.key("check", e.Run.SHA+":"+e.Run.Name) // a check that is tried again does not
	return content, nil
}

// githubRun is what workflows and checks have in common.
type githubRun struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	HTMLURL    string `json:"html_url"`
	Conclusion string `json:"conclusion"`
}

// notice: a failure warns and no more, for a build that fails at night wakes nobody.
func (r *githubRun) notice(about *githubAbout, what string) *models.NoticeContent {
	severity := "info"
	switch r.Conclusion {
	case "success":
		severity = "success"
	case "failure", "timed_out", "startup_failure", "action_required":
		severity = "warning"
	}
	ended := strings.ReplaceAll(cmp.Or(r.Conclusion, "completed"), "_", " ")
	return &models.NoticeContent{Title: about.place() + ": " + what + ": " + ended, Severity: severity, URL: link(r.HTMLURL)}
}

// readOtherEvent says what an event is called, and leads to what it is about.
func readOtherEvent(about *githubAbout, raw []byte) (*models.NoticeContent, error) {
	var e map[string]any
	if err := readObject(raw, &e); err != nil {
		return nil, err
	}
	content := &models.NoticeContent{Title: about.place() + ": " + strings.TrimSpace(strings.ReplaceAll(about.Event+" "+about.Action, "_", " ")) + by(about)}
	for _, name := range []string{"comment", "review", "discussion", "issue", "pull_request", "alert", "deployment"} {
		object, _ := e[name].(map[string]any)
		address, _ := object["html_url"].(string)
		if content.URL = link(address); content.URL != nil {
			break
		}
	}
	return content, nil
}

// by is who did it, where somebody did.
func by(about *githubAbout) string {
	if about.Sender.Login == "" {
		return ""
	}
	return " by " + about.Sender.Login
}
