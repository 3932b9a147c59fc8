package middleware

import (
	"encoding/hex"
	"log/slog"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"belfry/models"
	"belfry/services"
)

// SignatureHeader is where GitHub puts the HMAC-SHA-256 of a call's body, as sha256= and 64 hexadecimal digits.
const SignatureHeader = "X-Hub-Signature-256"

var errSignature = models.Errorf(models.CodeUnauthenticated, "The call is not signed for a hook of this address.")

// Signature finds out who asks by the signature of the body, for senders that cannot send a key. The path names the key by
// its id, which is no secret. Whoever asks by other means is nobody here. It comes behind Body.
func Signature(keys *services.Keys, log *slog.Logger) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(ctx)
		id, _ := strconv.ParseInt(ctx.Param("id"), 10, 64) // none has 0
		scheme, digits, _ := strings.Cut(ctx.Header(SignatureHeader), "=")
		signature, err := hex.DecodeString(digits)
		if err != nil || scheme != "sha256" {
			signature = nil
		}
		key, err := keys.ResolveSigned(ctx.Context(), models.HookGitHub, id, signature, RawBody(ctx.Context()))
		if models.CodeOf(err) == models.CodeUnauthenticated {
			err = errSignature
		}
		if err != nil {
			Refuse(c, log, err)
			return
		}
		next(huma.WithContext(ctx, asPrincipal(ctx.Context(), c, &services.Principal{Key: key})))
	}
}
