package testoidc

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
)

// reissued is the token endpoint, whose ID tokens [Provider.Reissue] may replace.
func (p *Provider) reissued(endpoint http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		reissue := p.reissue
		p.mu.Unlock()
		if reissue == nil {
			endpoint.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		endpoint.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		if replaced, err := replaceToken(body, reissue); err == nil {
			body = replaced
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body) // whether it arrives or not
	})
}

func replaceToken(body []byte, reissue func(map[string]any) string) ([]byte, error) {
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	token, _ := answer["id_token"].(string)
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	if err := json.Unmarshal(raw, &claims); err != nil {
		return nil, err
	}
	answer["id_token"] = reissue(claims)
	return json.Marshal(answer)
}
