package handlers

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// MaxIdempotencyKey is the longest Idempotency-Key, in characters.
const MaxIdempotencyKey = 255

// OnceInput is part of every request that creates. It is exported because huma passes over embedded
// structs that are not.
type OnceInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"The same request under the same key gets the same answer, for a day; at most 255 characters"`
}

// repeatable names a request by who sends it, its key and its content.
func (in *OnceInput) repeatable(ctx context.Context, route string) (services.Repeatable, error) {
	return repeatable(ctx, in.IdempotencyKey, "Idempotency-Key", route, middleware.RawBody(ctx))
}

func repeatable(ctx context.Context, key, field, route string, content []byte) (services.Repeatable, error) {
	if key == "" {
		return services.Repeatable{}, nil
	}
	return repeatableBy(middleware.PrincipalOf(ctx).Actor(), key, field, route, content)
}

func repeatableBy(actor, key, field, route string, content []byte) (services.Repeatable, error) {
	if !utf8.ValidString(key) || utf8.RuneCountInString(key) > MaxIdempotencyKey {
		return services.Repeatable{}, models.InvalidField(field, fmt.Sprintf("UTF-8 text of at most %d characters.", MaxIdempotencyKey))
	}
	sum := sha256.Sum256(append([]byte(route+"\n"), content...))
	return services.Repeatable{Principal: actor, Key: key, Digest: hex.EncodeToString(sum[:])}, nil
}

// concealed is what a request with a password in it is repeatable under. By a plain digest of the content whoever reads the
// database could try out passwords without the cost of a password's hash; this one cannot be made without the key, of which a
// digest alone is kept.
func concealed(r services.Repeatable) services.Repeatable {
	if r.Key == "" {
		return r
	}
	seal := hmac.New(sha256.New, []byte(r.Key))
	seal.Write([]byte(r.Digest))
	name := sha256.Sum256([]byte("concealed\n" + r.Key))
	r.Key, r.Digest = hex.EncodeToString(name[:]), hex.EncodeToString(seal.Sum(nil))
	return r
}

// created answers a request that creates.
type created[T any] struct {
	Replayed string `header:"Idempotency-Replayed"`
	Body     T
}

func createdAnswer[T any](body T, replayed bool) *created[T] {
	return &created[T]{Body: body, Replayed: replayHeader(replayed)}
}

// replayHeader is Idempotency-Replayed, which only the answer to a request that came again has.
func replayHeader(replayed bool) string {
	if replayed {
		return "true"
	}
	return ""
}
