package handlers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	jsonv2 "github.com/go-json-experiment/json"

	"belfry/models"
)

// described is JSON that is what the API's description says of T, for those bodies that huma does not decode.
type described[T any] struct {
	registry huma.Registry
	schema   *huma.Schema
}

func describe[T any](api huma.API) described[T] {
	registry, of := api.OpenAPI().Components.Schemas, reflect.TypeFor[T]()
	return described[T]{registry, registry.Schema(of, true, of.Name())}
}

// requestBody describes a request that is such a value, or many of them.
func (d described[T]) requestBody(media string) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{media: {Schema: d.schema}}}
}

// read decodes raw. What has the members and types of T, and no more, is taken at once; whether it keeps to the limits of
// the description is then the caller's to see. All else is held against the description, which says what is wrong. That
// takes five times as long (BenchmarkReadNotice), because huma's check wants the JSON as maps first.
func (d described[T]) read(raw []byte) (value T, err error) {
	// Once decoded, null and "" look like a member that was left out; but a format may be left out, and may not be "". Text
	// that happens to hold them goes the long way for nothing, which is slow and not wrong.
	plain := !bytes.Contains(raw, []byte("null")) && !bytes.Contains(raw, []byte(`""`))
	if plain && jsonv2.Unmarshal(raw, &value, jsonv2.RejectUnknownMembers(true)) == nil {
		return value, nil
	}
	return d.readStrictly(raw)
}

func (d described[T]) readStrictly(raw []byte) (value T, err error) {
	if !json.Valid(raw) {
		return value, huma.NewError(http.StatusBadRequest, "")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // which may be larger than a float64 holds; it is passed on as it came
	var members any
	if decoder.Decode(&members) != nil {
		return value, huma.NewError(http.StatusBadRequest, "")
	}
	found, at := &huma.ValidateResult{}, huma.NewPathBuffer(nil, 0)
	at.Push("body")
	huma.Validate(d.registry, d.schema, at, huma.ModeWriteToServer, members, found)
	if len(found.Errors) > 0 {
		return value, huma.NewError(http.StatusUnprocessableEntity, "", found.Errors...)
	}
	if json.Unmarshal(raw, &value) != nil {
		return value, models.InvalidField("body", "Not of the right type.") // of a member that is there twice, the first
	}
	return value, nil
}
