package handlers_test

// who is a principal of the table. Each cell of it gets a fresh one, for some end themselves.
type who string

const (
	nobody        who = "nobody"
	user          who = "user"
	locked        who = "locked user"
	ended         who = "ended session"
	admin         who = "admin"
	lockedAdmin   who = "locked admin"
	keyNotices    who = "key notices:write"
	keyTasks      who = "key tasks:write"
	keySessions   who = "key sessions:write"
	keyUsers      who = "key users:write"
	keyTickets    who = "key tickets:write"
	badKey        who = "unknown key beside a good cookie"
	ticket        who = "ticket as bearer"
	cookieBearer  who = "cookie's value as bearer"
	cookieInQuery who = "cookie's value in the query"
	keyInQuery    who = "key in the query"
)

// ok stands for the row's own status.
const ok = 0

// access says what each principal gets. What is not named gets others.
type access struct {
	named  map[who]int
	others int
}

func (a access) of(w who) int {
	if status, named := a.named[w]; named {
		return status
	}
	return a.others
}

// The rules of the contract, each as what it lets through.
var (
	bad    = map[who]int{nobody: 401, ended: 401, badKey: 401, ticket: 401, cookieBearer: 401, cookieInQuery: 401, keyInQuery: 401}
	shut   = merge(bad, map[who]int{locked: 423, lockedAdmin: 423})
	anyone = access{merge(bad, map[who]int{nobody: ok, ended: ok}), ok}
	owner  = access{merge(shut, map[who]int{user: ok, admin: ok}), 403}
	// lockedToo is the contract's list of what a locked session may do.
	lockedToo   = access{merge(bad, map[who]int{user: ok, admin: ok, locked: ok, lockedAdmin: ok}), 403}
	sender      = access{merge(shut, map[who]int{user: ok, admin: ok, keyNotices: ok}), 403}
	guard       = access{merge(shut, map[who]int{admin: ok, keySessions: ok}), 403}
	registrar   = access{merge(shut, map[who]int{admin: ok, keyUsers: ok}), 403}
	taskReader  = access{merge(shut, map[who]int{user: ok, admin: ok, keyTasks: ok}), 403}
	taskWriter  = access{merge(shut, map[who]int{admin: ok, keyTasks: ok}), 403}
	adminOnly   = access{merge(shut, map[who]int{admin: ok}), 403}
	machine     = access{merge(shut, map[who]int{keyNotices: ok}), 403}
	host        = access{merge(shut, map[who]int{keyTickets: ok}), 403}
	public      = access{map[who]int{cookieInQuery: 401, keyInQuery: 401}, ok}
	streams     = access{map[who]int{user: ok, admin: ok, locked: ok, lockedAdmin: ok, ended: ok, ticket: ok}, 401}
	adminStream = access{map[who]int{admin: ok, lockedAdmin: ok, ended: ok, user: 403, locked: 403, ticket: 403}, 401}
	clock       = access{nil, ok}
)

func merge(maps ...map[who]int) map[who]int {
	all := map[who]int{}
	for _, m := range maps {
		for w, status := range m {
			all[w] = status
		}
	}
	return all
}

// row is a route, who may call it, and what a good call is like.
type row struct {
	access
	ok     int
	body   any
	except map[who]int // where a principal's own situation decides
}

var noPasskey = map[string]any{"ceremony": "none", "credential": map[string]any{}}

var table = map[string]row{
	"POST /api/v1/hooks/alertmanager": {access: machine, ok: 200, body: map[string]any{"alerts": []any{}}},
	"POST /api/v1/hooks/grafana":      {access: machine, ok: 200, body: map[string]any{"alerts": []any{}}},

	// Who is let in is told what is missing.
	"POST /api/v1/hooks/github": {access: machine, ok: 422, body: map[string]any{}},
	// Nobody is let in by who they are, but by what the call is signed with.
	"POST /api/v1/hooks/github/:id": {access: access{others: 401}, ok: 401, body: map[string]any{}},
	"POST /api/v1/hooks/custom":     {access: machine, ok: 422, body: map[string]any{}},

	"POST /api/v1/login": {access: anyone, ok: 200, body: map[string]any{"username": "$user", "password": password}},
	// What is let in is told that there is no such token.
	"POST /api/v1/password/reset": {access: anyone, ok: 422, body: map[string]any{"token": "none", "new": password}},
	"GET /api/v1/session/check":   {access: anyone, ok: 204, except: map[who]int{nobody: 401, ended: 401, locked: 401, lockedAdmin: 401, keyNotices: 401, keyTasks: 401, keySessions: 401, keyUsers: 401, keyTickets: 401}},
	"GET /api/openapi.json":       {access: anyone, ok: 200},
	"GET /api/openapi.yaml":       {access: anyone, ok: 200},
	"GET /api/openapi-3.0.json":   {access: anyone, ok: 200},
	"GET /api/openapi-3.0.yaml":   {access: anyone, ok: 200},
	"GET /api/v1/session":         {access: lockedToo, ok: 200},
	"POST /api/v1/logout":         {access: lockedToo, ok: 204},
	"POST /api/v1/session/lock":   {access: lockedToo, ok: 200},
	"POST /api/v1/stream-tickets": {access: lockedToo, ok: 201},
	"POST /api/v1/session/unlock": {access: lockedToo, ok: 200, body: map[string]any{"password": password}},

	// Those that end at the provider do so in federation_test.go: what is finished here was never begun.
	"POST /api/v1/login/oidc":                  {access: anyone, ok: 200},
	"POST /api/v1/login/oidc/finish":           {access: anyone, ok: 401, body: map[string]any{"code": "c", "state": "s"}},
	"POST /api/v1/oidc/backchannel-logout":     {access: anyone, ok: 415, body: map[string]any{"logout_token": "t"}},
	"POST /api/v1/session/unlock/oidc":         {access: lockedToo, ok: 200},
	"POST /api/v1/session/reauthenticate/oidc": {access: owner, ok: 200},

	// Whose answer comes as far as being looked at may ask; that a right one is accepted is for the tests of passkeys.
	"GET /api/v1/login":                                   {access: anyone, ok: 200},
	"POST /api/v1/login/passkey/options":                  {access: anyone, ok: 200},
	"POST /api/v1/login/passkey":                          {access: anyone, ok: 422, body: noPasskey},
	"GET /api/v1/session/unlock":                          {access: lockedToo, ok: 200},
	"POST /api/v1/session/unlock/passkey/options":         {access: lockedToo, ok: 200},
	"POST /api/v1/session/unlock/passkey":                 {access: lockedToo, ok: 422, body: noPasskey, except: map[who]int{user: 200, admin: 200}},
	"POST /api/v1/session/reauthenticate/passkey/options": {access: owner, ok: 200},
	"POST /api/v1/session/reauthenticate/passkey":         {access: owner, ok: 422, body: noPasskey},
	"GET /api/v1/passkeys":                                {access: owner, ok: 200},
	"POST /api/v1/passkeys/options":                       {access: owner, ok: 200},
	"POST /api/v1/passkeys":                               {access: owner, ok: 422, body: map[string]any{"ceremony": "none", "name": "phone", "credential": map[string]any{}}},
	"DELETE /api/v1/passkeys/:id":                         {access: owner, ok: 204},

	"POST /api/v1/session/activity":       {access: owner, ok: 200},
	"POST /api/v1/session/reauthenticate": {access: owner, ok: 204, body: map[string]any{"password": password}},
	"POST /api/v1/password":               {access: owner, ok: 204, body: map[string]any{"current": password, "new": "another " + password}},
	"GET /api/v1/factors":                 {access: owner, ok: 200},
	"POST /api/v1/totp":                   {access: owner, ok: 201},
	"POST /api/v1/totp/confirm":           {access: owner, ok: 409, body: map[string]any{"code": "123456"}}, // none was begun
	"DELETE /api/v1/totp":                 {access: owner, ok: 204},
	"POST /api/v1/recovery-codes":         {access: owner, ok: 409}, // there is no authenticator
	"GET /api/v1/sessions":                {access: owner, ok: 200},
	"DELETE /api/v1/sessions":             {access: owner, ok: 204},
	"POST /api/v1/sessions/:id/lock":      {access: owner, ok: 200},
	"DELETE /api/v1/sessions/:id":         {access: owner, ok: 204},

	"GET /api/v1/preferences": {access: owner, ok: 200},
	"PUT /api/v1/preferences": {access: owner, ok: 200, body: map[string]any{"theme": "dark"}},
	"PATCH /api/v1/profile":   {access: owner, ok: 200, body: map[string]any{"display_name": "New"}},

	"GET /api/v1/notices":        {access: owner, ok: 200},
	"GET /api/v1/notices/:id":    {access: owner, ok: 200},
	"PATCH /api/v1/notices/:id":  {access: owner, ok: 200, body: map[string]any{"read": true}},
	"POST /api/v1/notices/state": {access: owner, ok: 200, body: map[string]any{"ids": []int{1}, "read": true}},
	"POST /api/v1/notices":       {access: sender, ok: 201, body: map[string]any{"to": map[string]any{"users": []string{"$user"}}, "title": "Hello"}},
	"POST /api/v1/notices/batch": {access: sender, ok: 200, body: map[string]any{"to": map[string]any{"users": []string{"$user"}}, "title": "Hello"}},
	"GET /api/v1/recipients":     {access: sender, ok: 200},
	"GET /api/v1/notices/sent":   {access: sender, ok: 200},
	// Somebody else has sent the one that is asked for.
	"DELETE /api/v1/notices/:id":       {access: sender, ok: 204, except: map[who]int{user: 404, keyNotices: 404}},
	"GET /api/v1/notices/:id/receipts": {access: sender, ok: 200, except: map[who]int{user: 404, keyNotices: 404}},

	"GET /api/v1/push/key":              {access: owner, ok: 200},
	"POST /api/v1/push/subscriptions":   {access: owner, ok: 422, body: map[string]any{"endpoint": "http://127.0.0.1", "keys": map[string]any{"p256dh": "", "auth": ""}}}, // none of PUSH_HOSTS
	"DELETE /api/v1/push/subscriptions": {access: owner, ok: 204, body: map[string]any{"endpoint": "https://push.example/1"}},

	// The one that is asked for is the caller's own, or there is none.
	"GET /api/v1/tasks":             {access: taskReader, ok: 200},
	"POST /api/v1/tasks":            {access: taskWriter, ok: 201, body: map[string]any{"title": "Deploy"}},
	"GET /api/v1/tasks/:id":         {access: taskReader, ok: 200},
	"GET /api/v1/tasks/:id/log":     {access: taskReader, ok: 200},
	"POST /api/v1/tasks/:id/log":    {access: taskWriter, ok: 200},
	"POST /api/v1/tasks/:id/finish": {access: taskWriter, ok: 200, body: map[string]any{"state": "succeeded"}},

	"POST /api/v1/users/:username/sessions/lock":  {access: guard, ok: 200},
	"DELETE /api/v1/users/:username/sessions":     {access: guard, ok: 204},
	"POST /api/v1/everyone/sessions/lock":         {access: guard, ok: 200},
	"DELETE /api/v1/everyone/sessions":            {access: guard, ok: 204},
	"GET /api/v1/everyone/sessions":               {access: adminOnly, ok: 200},
	"POST /api/v1/everyone/sessions/:id/lock":     {access: adminOnly, ok: 200},
	"DELETE /api/v1/everyone/sessions/:id":        {access: adminOnly, ok: 204},
	"POST /api/v1/users/:username/stream-tickets": {access: host, ok: 201},

	"GET /api/v1/users":                             {access: registrar, ok: 200},
	"POST /api/v1/users":                            {access: registrar, ok: 201, body: map[string]any{"username": "$fresh", "password": password}},
	"GET /api/v1/users/:username":                   {access: registrar, ok: 200},
	"PATCH /api/v1/users/:username":                 {access: registrar, ok: 200, body: map[string]any{"display_name": "New"}},
	"PUT /api/v1/users/:username":                   {access: registrar, ok: 200, body: map[string]any{"display_name": "New", "role": "user"}},
	"DELETE /api/v1/users/:username":                {access: registrar, ok: 204},
	"POST /api/v1/users/:username/reset-link":       {access: registrar, ok: 201},
	"DELETE /api/v1/users/:username/factors":        {access: registrar, ok: 204},
	"DELETE /api/v1/users/:username/identity":       {access: registrar, ok: 204},
	"GET /api/v1/groups":                            {access: registrar, ok: 200},
	"POST /api/v1/groups":                           {access: registrar, ok: 201, body: map[string]any{"name": "$fresh"}},
	"GET /api/v1/groups/:name":                      {access: registrar, ok: 200},
	"PATCH /api/v1/groups/:name":                    {access: registrar, ok: 200, body: map[string]any{"display_name": "New"}},
	"DELETE /api/v1/groups/:name":                   {access: registrar, ok: 204},
	"PUT /api/v1/groups/:name/members/:username":    {access: registrar, ok: 200},
	"DELETE /api/v1/groups/:name/members/:username": {access: registrar, ok: 204},
	"GET /api/v1/keys":                              {access: registrar, ok: 200},
	"POST /api/v1/keys":                             {access: registrar, ok: 201, body: map[string]any{"name": "k", "scopes": []string{"users:write"}}},
	"DELETE /api/v1/keys/:id":                       {access: registrar, ok: 204},

	"GET /api/v1/streams":         {access: adminOnly, ok: 200},
	"GET /api/v1/stats":           {access: adminOnly, ok: 200},
	"GET /api/v1/log-level":       {access: adminOnly, ok: 200},
	"PUT /api/v1/log-level":       {access: adminOnly, ok: 200, body: map[string]any{"level": "debug"}},
	"GET /api/v1/audit":           {access: adminOnly, ok: 200},
	"GET /api/v1/audit/export":    {access: adminOnly, ok: 200},
	"GET /api/v1/webhooks":        {access: adminOnly, ok: 200},
	"POST /api/v1/webhooks":       {access: adminOnly, ok: 201, body: map[string]any{"url": "http://127.0.0.1:1/hook"}},
	"DELETE /api/v1/webhooks/:id": {access: adminOnly, ok: 204},

	"GET /sse/stream": {access: streams, ok: 200},
	"GET /sse/notice": {access: streams, ok: 200},
	"GET /sse/lock":   {access: streams, ok: 200},
	"GET /sse/stats":  {access: adminStream, ok: 200},
	"GET /sse/clock":  {access: clock, ok: 200},
	// That of a locked session says so, and nothing else.
	"GET /sse/tasks/:id": {access: streams, ok: 200},

	"GET /livez": {access: public, ok: 200}, "HEAD /livez": {access: public, ok: 200},
	"GET /readyz": {access: public, ok: 200}, "HEAD /readyz": {access: public, ok: 200},
}

var everybody = []who{nobody, user, locked, ended, admin, lockedAdmin, keyNotices, keyTasks, keySessions, keyUsers, keyTickets,
	badKey, ticket, cookieBearer, cookieInQuery, keyInQuery}
