package handlers

import (
	"github.com/danielgtaylor/huma/v2"

	"belfry/models"
)

// The headings under which operations are found.
const (
	tagSignIn      = "Sign-in"
	tagSession     = "Session"
	tagFactors     = "Factors"
	tagStreams     = "Streams"
	tagPublish     = "Publishing"
	tagInbox       = "Inbox"
	tagPreferences = "Preferences"
	tagPush        = "Push"
	tagTasks       = "Tasks"
	tagPeople      = "People"
	tagKeys        = "Keys"
	tagOperation   = "Operation"
)

// tags are the headings in the order in which they are read.
var tags = []*huma.Tag{
	{Name: tagPublish, Description: "Sending notices to people, groups and everyone, and looking at what was sent."},
	{Name: tagInbox, Description: "What a signed-in person has received."},
	{Name: tagTasks, Description: "Logs of jobs, written as they run and followed as streams."},
	{Name: tagStreams, Description: "Tickets that open a stream where no cookie goes. The streams themselves lie under /sse."},
	{Name: tagSignIn, Description: "Becoming a session."},
	{Name: tagSession, Description: "The session that asks, its lock, and a person's other devices."},
	{Name: tagFactors, Description: "What a person proves with that it is them: password, passkeys, authenticator, recovery codes."},
	{Name: tagPreferences, Description: "What a person has chosen, on all of their devices."},
	{Name: tagPush, Description: "Web Push (RFC 8030) for closed tabs."},
	{Name: tagPeople, Description: "Users and groups."},
	{Name: tagKeys, Description: "Keys for programs."},
	{Name: tagOperation, Description: "The record of what was done, how the nodes are, and webhooks."},
}

// operationText says what an operation is for, and which refusals it has beside those that follow from who may call it and
// what it takes.
type operationText struct {
	tag, summary, text string
	also               []models.Code
}

func refusedAs(codes ...models.Code) []models.Code { return codes }

// hookText is what holds of everything that other systems call.
const hookText = "What is wrong with one keeps no other back; a call of which nothing could be kept is refused."

// operations has an entry for each operation of the API. Those that can be asked to prove who one is again, meet what is
// there already, guess at secrets, or are of something that may be turned off, say so here.
var operations = map[string]operationText{
	"POST /api/v1/notices": {tagPublish, "Send a notice", "Answered once it is durable. A plain user may write to at most 10 users, and to no group. A name that nobody has is refused, and named. " +
		"With deliver_at it waits for its time; its cursor is null until then.", refusedAs(models.CodeRateLimited)},
	"POST /api/v1/notices/batch": {tagPublish, "Send many notices", "A notice a line, at most 1,000; an answer a line, in their order: where it went, or the problem it met. " +
		"Each line may have an idempotency_key of its own.", refusedAs(models.CodeRateLimited)},
	"GET /api/v1/recipients": {tagPublish, "Find recipients", "Users and groups that the caller may write to, at most 20.", nil},
	"POST /api/v1/hooks/alertmanager": {tagPublish, "Receive alerts of Alertmanager", "As its webhook receiver posts them: a notice for each alert, to the recipients of the key, at most 100. An alert has one row in an inbox " +
		"from when it fires until it is resolved. The very same alert within two minutes is published once. " + hookText, refusedAs(models.CodeRateLimited)},
	"POST /api/v1/hooks/grafana": {tagPublish, "Receive alerts of Grafana", "As its webhook contact point posts them: a notice for each alert, to the recipients of the key, at most 100. " + hookText, refusedAs(models.CodeRateLimited)},
	"POST /api/v1/hooks/github": {tagPublish, "Receive an event of GitHub", "For what speaks like it and can send a key: Gitea, Forgejo, a workflow. A notice to the recipients of the key, or none where the event is no news. " +
		"The same body within a day is published once.", refusedAs(models.CodeRateLimited)},
	"POST /api/v1/hooks/github/{id}": {tagPublish, "Receive a signed event of GitHub", "GitHub cannot send a key: it signs the body with the secret of the key's hook, and the path names the key, whose id is no secret. " +
		"A notice to its recipients, or none where the event is no news. The same body within a day is published once.", refusedAs(models.CodeRateLimited)},
	"POST /api/v1/hooks/custom": {tagPublish, "Receive anything", "Any JSON, read as the mapping of the key says, which it was given when it was made: a notice to the recipients of the key for each thing that it finds, at most 100. " +
		hookText, refusedAs(models.CodeRateLimited)},
	"GET /api/v1/notices/sent":          {tagPublish, "List what was sent", "What the caller has sent, newest first, with how many have read it.", nil},
	"DELETE /api/v1/notices/{id}":       {tagPublish, "Withdraw a notice", "By its sender or an admin. It leaves every inbox; one that waits for its time is never delivered.", nil},
	"GET /api/v1/notices/{id}/receipts": {tagPublish, "List who has read a notice", "For its sender and admins.", nil},

	"GET /api/v1/notices":        {tagInbox, "List notices", "Newest first. A stream that starts at the cursor of the answer misses nothing that the answer does not show.", nil},
	"GET /api/v1/notices/{id}":   {tagInbox, "Get a notice", "", nil},
	"PATCH /api/v1/notices/{id}": {tagInbox, "Mark a notice", "As read, archived or put off, or not.", nil},
	"POST /api/v1/notices/state": {tagInbox, "Mark many notices", "Those named by ids, or with up_to all of the inbox at or before a cursor.", nil},

	"POST /api/v1/tasks":             {tagTasks, "Begin a task", "", nil},
	"GET /api/v1/tasks":              {tagTasks, "List tasks", "Those that the caller may read, newest first.", nil},
	"GET /api/v1/tasks/{id}":         {tagTasks, "Get a task", "", nil},
	"GET /api/v1/tasks/{id}/log":     {tagTasks, "Read a log", "Its bytes from one place to its end, as both are now. Log-End says where they end, Task-State how the task stands.", nil},
	"POST /api/v1/tasks/{id}/log":    {tagTasks, "Append to a log", "By who created the task, or an admin; at most 16 MiB at once. The offset has to be the log's end; else the refusal says where that is.", refusedAs(models.CodeConflict)},
	"POST /api/v1/tasks/{id}/finish": {tagTasks, "Finish a task", "Once. Its readers are told by a notice.", refusedAs(models.CodeConflict)},

	"POST /api/v1/stream-tickets":                  {tagStreams, "Mint a ticket", "For a stream of the session that asks, which it ends with. It opens streams until it expires, any number of times.", nil},
	"POST /api/v1/users/{username}/stream-tickets": {tagStreams, "Mint a ticket for a user", "For the server of a site on which the user is signed in.", nil},

	"POST /api/v1/login":                   {tagSignIn, "Sign in by password", "Wrong names and wrong passwords are refused alike.", refusedAs(models.CodeSecondFactor, models.CodeRateLimited)},
	"GET /api/v1/login":                    {tagSignIn, "Get the ways of signing in", "", nil},
	"POST /api/v1/login/passkey/options":   {tagSignIn, "Begin signing in by passkey", "", refusedAs(models.CodeNotFound, models.CodeRateLimited)},
	"POST /api/v1/login/passkey":           {tagSignIn, "Sign in by passkey", "", refusedAs(models.CodeNotFound, models.CodeRateLimited)},
	"POST /api/v1/login/oidc":              {tagSignIn, "Begin signing in at the provider", "", refusedAs(models.CodeNotFound, models.CodeRateLimited)},
	"POST /api/v1/login/oidc/finish":       {tagSignIn, "Come back from the provider", "Signs in, unlocks or proves again who one is, whichever was begun.", refusedAs(models.CodeNotFound, models.CodeLocked, models.CodeRateLimited)},
	"POST /api/v1/oidc/backchannel-logout": {tagSignIn, "Sign out, as the provider says", "OpenID Connect Back-Channel Logout 1.0.", refusedAs(models.CodeNotFound, models.CodeRateLimited)},
	"POST /api/v1/password/reset":          {tagSignIn, "Set a password by a link", "With the token of a reset link, once.", refusedAs(models.CodeRateLimited)},
	"POST /api/v1/logout":                  {tagSignIn, "Sign out", "Ends the session on every node.", nil},

	"GET /api/v1/session":                                 {tagSession, "Get the session", "Never extends it. Of one that has ended the refusal says why.", nil},
	"GET /api/v1/session/check":                           {tagSession, "Check the session", "For a proxy's auth_request: X-Belfry-User names the user, X-Belfry-State why there is none.", nil},
	"POST /api/v1/session/activity":                       {tagSession, "Say that somebody is there", "Moves the idle clock.", nil},
	"POST /api/v1/session/lock":                           {tagSession, "Lock the session", "", nil},
	"GET /api/v1/session/unlock":                          {tagSession, "Get the ways of unlocking", "", nil},
	"POST /api/v1/session/unlock":                         {tagSession, "Unlock by password", "The session gets a new cookie. A wrong password says how many attempts are left; the fifth ends the session.", refusedAs(models.CodeRateLimited)},
	"POST /api/v1/session/unlock/oidc":                    {tagSession, "Begin unlocking at the provider", "", refusedAs(models.CodeNotFound, models.CodeRateLimited)},
	"POST /api/v1/session/unlock/passkey/options":         {tagSession, "Begin unlocking by passkey", "", refusedAs(models.CodeNotFound, models.CodeConflict, models.CodeRateLimited)},
	"POST /api/v1/session/unlock/passkey":                 {tagSession, "Unlock by passkey", "", refusedAs(models.CodeNotFound, models.CodeRateLimited)},
	"POST /api/v1/session/reauthenticate":                 {tagSession, "Prove again who one is", "By password. For five minutes the session may then do what needs it.", refusedAs(models.CodeSecondFactor, models.CodeRateLimited)},
	"POST /api/v1/session/reauthenticate/oidc":            {tagSession, "Begin proving at the provider", "", refusedAs(models.CodeNotFound, models.CodeRateLimited)},
	"POST /api/v1/session/reauthenticate/passkey/options": {tagSession, "Begin proving by passkey", "", refusedAs(models.CodeNotFound, models.CodeConflict, models.CodeRateLimited)},
	"POST /api/v1/session/reauthenticate/passkey":         {tagSession, "Prove by passkey", "", refusedAs(models.CodeNotFound, models.CodeRateLimited)},
	"GET /api/v1/sessions":                                {tagSession, "List one's sessions", "", nil},
	"DELETE /api/v1/sessions":                             {tagSession, "End one's other sessions", "", refusedAs(models.CodeReauthentication)},
	"POST /api/v1/sessions/{id}/lock":                     {tagSession, "Lock one of one's sessions", "", nil},
	"DELETE /api/v1/sessions/{id}":                        {tagSession, "End one of one's sessions", "", refusedAs(models.CodeReauthentication)},
	"POST /api/v1/users/{username}/sessions/lock":         {tagSession, "Lock a user's sessions", "", nil},
	"DELETE /api/v1/users/{username}/sessions":            {tagSession, "End a user's sessions", "", refusedAs(models.CodeReauthentication)},
	"POST /api/v1/everyone/sessions/lock":                 {tagSession, "Lock all sessions", "", nil},
	"DELETE /api/v1/everyone/sessions":                    {tagSession, "End all sessions", "", refusedAs(models.CodeReauthentication)},
	"GET /api/v1/everyone/sessions":                       {tagSession, "List all sessions", "Those that have not ended, the newest first.", nil},
	"POST /api/v1/everyone/sessions/{id}/lock":            {tagSession, "Lock anybody's session", "", nil},
	"DELETE /api/v1/everyone/sessions/{id}":               {tagSession, "End anybody's session", "", refusedAs(models.CodeReauthentication)},

	"POST /api/v1/password":         {tagFactors, "Change one's password", "Ends one's other sessions.", refusedAs(models.CodeRateLimited)},
	"GET /api/v1/factors":           {tagFactors, "Get one's factors", "", nil},
	"POST /api/v1/totp":             {tagFactors, "Begin an authenticator", "Its secret is shown this once; it counts once confirmed.", refusedAs(models.CodeReauthentication, models.CodeConflict)},
	"POST /api/v1/totp/confirm":     {tagFactors, "Confirm an authenticator", "", refusedAs(models.CodeReauthentication, models.CodeConflict, models.CodeRateLimited)},
	"DELETE /api/v1/totp":           {tagFactors, "Turn the authenticator off", "", refusedAs(models.CodeReauthentication)},
	"POST /api/v1/recovery-codes":   {tagFactors, "Make new recovery codes", "They are shown this once; the old ones are void.", refusedAs(models.CodeReauthentication, models.CodeConflict)},
	"GET /api/v1/passkeys":          {tagFactors, "List one's passkeys", "", refusedAs(models.CodeNotFound)},
	"POST /api/v1/passkeys/options": {tagFactors, "Begin a passkey", "", refusedAs(models.CodeNotFound, models.CodeReauthentication, models.CodeConflict)},
	"POST /api/v1/passkeys":         {tagFactors, "Add a passkey", "", refusedAs(models.CodeNotFound, models.CodeReauthentication, models.CodeConflict)},
	"DELETE /api/v1/passkeys/{id}":  {tagFactors, "Remove a passkey", "", refusedAs(models.CodeReauthentication)},

	"GET /api/v1/preferences":           {tagPreferences, "Get one's preferences", "", nil},
	"PUT /api/v1/preferences":           {tagPreferences, "Set one's preferences", "All of them: what is left out is the default.", nil},
	"PATCH /api/v1/profile":             {tagPreferences, "Change one's name", "", nil},
	"GET /api/v1/push/key":              {tagPush, "Get the key for push services", "VAPID (RFC 8292), to subscribe with.", nil},
	"POST /api/v1/push/subscriptions":   {tagPush, "Subscribe this browser", "Ends with the session.", refusedAs(models.CodeConflict)},
	"DELETE /api/v1/push/subscriptions": {tagPush, "Unsubscribe this browser", "", nil},

	"GET /api/v1/users":              {tagPeople, "List users", "", nil},
	"POST /api/v1/users":             {tagPeople, "Add a user", "", refusedAs(models.CodeConflict)},
	"GET /api/v1/users/{username}":   {tagPeople, "Get a user", "", nil},
	"PATCH /api/v1/users/{username}": {tagPeople, "Change a user", "Disabling ends the user's sessions. The last administrator stays one.", refusedAs(models.CodeReauthentication, models.CodeConflict)},
	"PUT /api/v1/users/{username}": {tagPeople, "Make a user as wanted", "Adds who is not there, without a password (201), else changes what differs and lets them join the groups (200), all of it or nothing. " +
		"What is left out stays as it is. Sent again it changes nothing.", refusedAs(models.CodeConflict)},
	"DELETE /api/v1/users/{username}":                 {tagPeople, "Delete a user", "Not the last administrator.", refusedAs(models.CodeReauthentication, models.CodeConflict)},
	"POST /api/v1/users/{username}/reset-link":        {tagPeople, "Make a link to set a password", "", refusedAs(models.CodeReauthentication)},
	"DELETE /api/v1/users/{username}/factors":         {tagPeople, "Remove a user's factors", "Authenticator, recovery codes and passkeys.", refusedAs(models.CodeReauthentication)},
	"DELETE /api/v1/users/{username}/identity":        {tagPeople, "Unlink a user from the provider", "", refusedAs(models.CodeReauthentication)},
	"GET /api/v1/groups":                              {tagPeople, "List groups", "", nil},
	"POST /api/v1/groups":                             {tagPeople, "Add a group", "", refusedAs(models.CodeConflict)},
	"GET /api/v1/groups/{name}":                       {tagPeople, "Get a group", "", nil},
	"PATCH /api/v1/groups/{name}":                     {tagPeople, "Change a group", "Its name, what it is shown as, and whether it takes notices.", refusedAs(models.CodeConflict)},
	"DELETE /api/v1/groups/{name}":                    {tagPeople, "Delete a group", "", nil},
	"PUT /api/v1/groups/{name}/members/{username}":    {tagPeople, "Let a user join", "From now on: what was sent before is not theirs.", nil},
	"DELETE /api/v1/groups/{name}/members/{username}": {tagPeople, "Let a user leave", "", nil},

	"GET /api/v1/keys":         {tagKeys, "List keys", "Without their secrets.", nil},
	"POST /api/v1/keys":        {tagKeys, "Make a key", "Its secret is shown this once. A key makes only keys of its own scopes.", refusedAs(models.CodeReauthentication, models.CodeConflict)},
	"DELETE /api/v1/keys/{id}": {tagKeys, "Revoke a key", "", refusedAs(models.CodeReauthentication)},

	"GET /api/v1/audit":            {tagOperation, "List the record", "What was done, newest first.", nil},
	"GET /api/v1/audit/export":     {tagOperation, "Export the record", "The whole of it, a line each, newest first.", nil},
	"GET /api/v1/streams":          {tagOperation, "List streams", "Who is connected to which node, and who does not keep up.", refusedAs(models.CodeNotFound)},
	"GET /api/v1/stats":            {tagOperation, "Get figures", "How the nodes are, and what became of what was to be delivered.", refusedAs(models.CodeNotFound)},
	"GET /api/v1/log-level":        {tagOperation, "Get the log levels", "What each node logs.", nil},
	"PUT /api/v1/log-level":        {tagOperation, "Change the log level", "Of all nodes, until they are restarted.", nil},
	"GET /api/v1/webhooks":         {tagOperation, "List webhooks", "Without their secrets.", nil},
	"POST /api/v1/webhooks":        {tagOperation, "Add a webhook", "Its secret is shown this once.", refusedAs(models.CodeReauthentication, models.CodeConflict)},
	"DELETE /api/v1/webhooks/{id}": {tagOperation, "Remove a webhook", "", refusedAs(models.CodeReauthentication)},
}
