package models

// The bounds of a mapping.
const (
	MaxMappingPath   = 256 // bytes of a path, or characters of a text
	MaxMappingValues = 50  // of a table
	MaxMappingValue  = 100 // characters of one
)

// Mapping says how a call of another system is read as notices. Each member is a path into the call (RFC 9535), or a text
// that does not begin with $; empty = there is none. With Items, each value that it selects is a notice, and the other
// paths begin at that value.
type Mapping struct {
	Items          string           `json:"items,omitempty" maxLength:"256" doc:"Which values are a notice each; the whole call where it is left out. One selector a segment, no functions, and no $ within a filter"`
	Title          string           `json:"title,omitempty" maxLength:"256" doc:"A path to one value, or a text that does not begin with $; the key's name where it finds nothing"`
	Body           string           `json:"body,omitempty" maxLength:"256"`
	Severity       *SeverityMapping `json:"severity,omitempty"`
	Category       string           `json:"category,omitempty" maxLength:"256"`
	URL            string           `json:"url,omitempty" maxLength:"256"`
	CollapseKey    string           `json:"collapse_key,omitempty" maxLength:"256"`
	IdempotencyKey string           `json:"idempotency_key,omitempty" maxLength:"256" doc:"What names a notice, so that it is published once though it is sent again within a day"`
}

// SeverityMapping says how severe a notice is.
type SeverityMapping struct {
	From    string            `json:"from" maxLength:"256" doc:"A path to one value"`
	Values  map[string]string `json:"values,omitempty" doc:"From what the sender says, in lower case, to info, success, warning or critical; at most 50. A value that is one of these needs no entry"`
	Default string            `json:"default,omitempty" doc:"For what else the sender says, and for nothing; info where it is left out"`
}
