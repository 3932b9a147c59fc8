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
	lockedToo = access{merge(bad, map[who]int{user: ok, admin: ok, locked: ok, lockedAdmin: ok}), 403}
	sender    = access{merge(shut, map[who]int{user: ok, admin: ok, keyNotices: ok}), 403}
	guard     = access{merge(shut, map[who]int{admin: ok, keySessions: ok}), 403}
	registrar = access{merge(shut, map[who]int{admin: ok, keyUsers: ok}), 403}
	host      = access{merge(shut, map[who]int{keyTickets: ok}), 403}
	public    = access{map[who]int{cookieInQuery: 401, keyInQuery: 401}, ok}
	streams   = access{map[who]int{user: ok, admin: ok, locked: ok, lockedAdmin: ok, ended: ok, ticket: ok}, 401}
	clock     = access{nil, ok}
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

var table = map[string]row{
	"POST /api/v1/login":          {access: anyone, ok: 200, body: map[string]any{"username": "$user", "password": password}},
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

	"POST /api/v1/session/activity":       {access: owner, ok: 200},
	"POST /api/v1/session/reauthenticate": {access: owner, ok: 204, body: map[string]any{"password": password}},
	"POST /api/v1/password":               {access: owner, ok: 204, body: map[string]any{"current": password, "new": "another " + password}},
	"GET /api/v1/sessions":                {access: owner, ok: 200},
	"DELETE /api/v1/sessions":             {access: owner, ok: 204},
	"POST /api/v1/sessions/:id/lock":      {access: owner, ok: 200},
	"DELETE /api/v1/sessions/:id":         {access: owner, ok: 204},

	"GET /api/v1/notices":        {access: owner, ok: 200},
	"GET /api/v1/notices/:id":    {access: owner, ok: 200},
	"PATCH /api/v1/notices/:id":  {access: owner, ok: 200, body: map[string]any{"read": true}},
	"POST /api/v1/notices/state": {access: owner, ok: 200, body: map[string]any{"ids": []int{1}, "read": true}},
	"POST /api/v1/notices":       {access: sender, ok: 201, body: map[string]any{"to": map[string]any{"users": []string{"$user"}}, "title": "Hello"}},
	"POST /api/v1/notices/batch": {access: sender, ok: 200, body: map[string]any{"to": map[string]any{"users": []string{"$user"}}, "title": "Hello"}},
	"GET /api/v1/recipients":     {access: sender, ok: 200},

	"POST /api/v1/users/:username/sessions/lock":  {access: guard, ok: 200},
	"DELETE /api/v1/users/:username/sessions":     {access: guard, ok: 204},
	"POST /api/v1/users/:username/stream-tickets": {access: host, ok: 201},

	"GET /api/v1/users":                             {access: registrar, ok: 200},
	"POST /api/v1/users":                            {access: registrar, ok: 201, body: map[string]any{"username": "$fresh", "password": password}},
	"GET /api/v1/users/:username":                   {access: registrar, ok: 200},
	"PATCH /api/v1/users/:username":                 {access: registrar, ok: 200, body: map[string]any{"display_name": "New"}},
	"DELETE /api/v1/users/:username":                {access: registrar, ok: 204},
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

	"GET /sse/stream": {access: streams, ok: 200},
	"GET /sse/notice": {access: streams, ok: 200},
	"GET /sse/lock":   {access: streams, ok: 200},
	"GET /sse/clock":  {access: clock, ok: 200},

	"GET /livez": {access: public, ok: 200}, "HEAD /livez": {access: public, ok: 200},
	"GET /readyz": {access: public, ok: 200}, "HEAD /readyz": {access: public, ok: 200},
}

var everybody = []who{nobody, user, locked, ended, admin, lockedAdmin, keyNotices, keyTasks, keySessions, keyUsers, keyTickets,
	badKey, ticket, cookieBearer, cookieInQuery, keyInQuery}
