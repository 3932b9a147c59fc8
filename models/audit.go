package models

// AuditRecord is one line of the record of who did what. What does not apply is empty.
type AuditRecord struct {
	ID           int64 `gorm:"primaryKey"`
	At           Instant
	Action       string
	ActorType    string
	ActorName    string
	ActorSession string // hashed
	Username     string // whom it concerned
	Session      string // hashed
	KeyName      string
	IP           string
	UserAgent    string
	Detail       string // a JSON object
}

// TableName is that of a mass noun.
func (AuditRecord) TableName() string { return "audit" }
