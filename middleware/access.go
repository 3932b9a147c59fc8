package middleware

import (
	"log/slog"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"belfry/models"
	"belfry/services"
)

// Rule says who may call a route. The zero Rule lets nobody in.
type Rule struct {
	// Open lets everybody in, whoever they are.
	Open bool
	// User lets an active session in.
	User bool
	// Locked lets a locked session in too: the few routes that a locked page needs.
	Locked bool
	// Admin lets an active session of an admin in.
	Admin bool
	// Scope lets a key with this scope in.
	Scope models.Scope
	// Signed lets nobody in but a sender that signs its calls for a key with that scope; see Signature.
	Signed bool
	// Metered says that what a key publishes here counts against its limit.
	Metered bool
	// Passive says that the call is no activity of the user, though it is no GET.
	Passive bool
}

var (
	errSignIn    = models.Errorf(models.CodeUnauthenticated, "Sign in first.")
	errForbidden = models.Errorf(models.CodeForbidden, "You may not do this.")
)

// Access enforces the rule of a route. A user's own write is also what moves the idle clock; that same
// statement checks that the session is still active. Where there is a body to wait for, Remains is the last to ask.
func Access(sessions *services.Sessions, rule Rule, log *slog.Logger) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		p := PrincipalOf(ctx.Context())
		err := rule.allows(p)
		if err == nil && p.Live != nil && rule.touches(ctx.Method()) {
			var touched *services.Live
			if touched, err = sessions.Touch(ctx.Context(), p.Live, false); err == nil {
				p.Live = touched
			}
		}
		if err != nil {
			Refuse(humagin.Unwrap(ctx), log, err)
			return
		}
		next(ctx)
	}
}

// Remains asks once more when the body is there: it is read behind Access, and may have been so long in coming that the session
// was locked or ended meanwhile.
func Remains(sessions *services.Sessions, rule Rule, log *slog.Logger) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if p := PrincipalOf(ctx.Context()); p.Live != nil && rule.touches(ctx.Method()) {
			if err := sessions.Remains(ctx.Context(), p.Live); err != nil {
				Refuse(humagin.Unwrap(ctx), log, err)
				return
			}
		}
		next(ctx)
	}
}

func (r Rule) touches(method string) bool {
	return method != http.MethodGet && !r.Passive && !r.Locked && !r.Open
}

func (r Rule) allows(p *services.Principal) error {
	if r.Open {
		return nil
	}
	if p.Nobody() {
		return errSignIn
	}
	if p.Key != nil {
		if r.Scope == "" || !p.Key.Has(r.Scope) {
			return errForbidden
		}
		return nil
	}
	switch p.Live.Verdict.State {
	case models.SessionEnded:
		return services.ErrEnded(p.Live.Verdict.Reason)
	case models.SessionLocked:
		if !r.Locked {
			return services.ErrLocked
		}
	}
	if r.User || r.Locked || (r.Admin && p.IsAdmin()) {
		return nil
	}
	return errForbidden
}

// Describe puts the rule into the API's description.
func (r Rule) Describe() (text string, security []map[string][]string) {
	if r.Open {
		return "Anyone.", []map[string][]string{}
	}
	if r.User || r.Locked || r.Admin {
		security = append(security, map[string][]string{"session": {}})
		text = "A signed-in user."
		if r.Admin && !r.User {
			text = "An admin."
		}
		if r.Locked {
			text += " Also while the session is locked."
		}
	}
	if r.Signed {
		return "A call that is signed for the hook of a key with " + strconv.Quote(string(r.Scope)) + ".", []map[string][]string{{"signature": {}}}
	}
	if r.Scope != "" {
		security = append(security, map[string][]string{"key": {}})
		if text != "" {
			text += " "
		}
		text += "A key with " + strconv.Quote(string(r.Scope)) + "."
	}
	return text, security
}
