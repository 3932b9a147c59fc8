package handlers

import (
	"iter"
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// documented is each operation that the API's description has, by its path.
func documented(api *huma.OpenAPI) iter.Seq2[string, *huma.Operation] {
	return func(yield func(string, *huma.Operation) bool) {
		for path, item := range api.Paths {
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
				if op != nil && !yield(path, op) {
					return
				}
			}
		}
	}
}

// complete says in the API's description what Go's types cannot: that null is one of the values where it
// is allowed, also where there may be no object, and that a notice's data is an object.
func complete(api *huma.OpenAPI) {
	schemas := api.Components.Schemas.Map()
	for _, op := range documented(api) {
		if op.RequestBody != nil {
			for _, media := range op.RequestBody.Content {
				leaveOut(api.Components.Schemas, media.Schema)
			}
		}
	}
	provider := *schemas["SingleSignOn"]
	provider.Nullable = true
	schemas["LoginWays"].Properties["single_sign_on"] = &provider
	person := *schemas["PersonDelivered"]
	person.Nullable = true
	schemas["StatsBody"].Properties["user"] = &person
	for _, key := range []string{"KeyView", "NewKeyView"} {
		mapping := *schemas["Mapping"]
		mapping.Nullable = true
		schemas[key].Properties["mapping"] = &mapping
	}
	for _, notice := range []string{"NoticeView", "SentNotice"} {
		schemas[notice].Properties["data"] = &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true}
	}
	for _, object := range schemas {
		for _, member := range object.Properties {
			if member.Nullable && len(member.Enum) > 0 && !slices.Contains(member.Enum, nil) {
				member.Enum = append(member.Enum, nil)
			}
		}
	}
}

// leaveOut says that null stands for leaving a member out, as huma reads it, wherever it may be left out of a request.
func leaveOut(registry huma.Registry, schema *huma.Schema) {
	if schema.Ref != "" {
		schema = registry.SchemaFromRef(schema.Ref)
	}
	for name, member := range schema.Properties {
		leaveOut(registry, member)
		if member.Items != nil {
			leaveOut(registry, member.Items)
		}
		if slices.Contains(schema.Required, name) {
			continue
		}
		if member.Ref != "" { // beside a reference nothing is heard
			of := *registry.SchemaFromRef(member.Ref)
			member = &of
			schema.Properties[name] = member
		}
		member.Nullable = member.Type != "" // what has no type takes null anyway
	}
}

// removeUnused takes away what was written out where it is used: a schema that no operation needs any more.
func removeUnused(api *huma.OpenAPI) {
	n := needs{registry: api.Components.Schemas, refs: map[string]bool{}}
	for _, op := range documented(api) {
		for _, parameter := range op.Parameters {
			n.schema(parameter.Schema)
		}
		if op.RequestBody != nil {
			n.content(op.RequestBody.Content)
		}
		for _, response := range op.Responses {
			n.content(response.Content)
			for _, header := range response.Headers {
				n.schema(header.Schema)
			}
		}
	}
	maps.DeleteFunc(n.registry.Map(), func(name string, _ *huma.Schema) bool { return !n.refs["#/components/schemas/"+name] })
}

// needs is what operations refer to, by however many others.
type needs struct {
	registry huma.Registry
	refs     map[string]bool
}

func (n *needs) content(of map[string]*huma.MediaType) {
	for _, media := range of {
		n.schema(media.Schema)
	}
}

func (n *needs) schema(s *huma.Schema) {
	if s == nil || n.refs[s.Ref] {
		return
	}
	if s.Ref != "" {
		n.refs[s.Ref] = true
		s = n.registry.SchemaFromRef(s.Ref)
	}
	n.schema(s.Items)
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		n.schema(values)
	}
	for _, part := range slices.Concat(s.OneOf, s.AnyOf, s.AllOf, slices.Collect(maps.Values(s.Properties))) {
		n.schema(part)
	}
}
