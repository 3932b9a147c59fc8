package services

import (
	"encoding/json"
	"strconv"

	"belfry/models"
)

// appendJSON writes what json.Marshal writes of a Hello. A storm of streams that come back asks for one each, and putting it
// together by reflection was a twentieth of what each of them cost.
func (h *Hello) appendJSON(b []byte) []byte {
	b = append(b, `{"session":`...)
	if h.Session == nil {
		b = append(b, "null"...)
	} else {
		b = h.Session.appendJSON(b)
	}
	b = append(b, `,"unread":`...)
	if h.Unread == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, *h.Unread, 10)
	}
	b = appendString(append(b, `,"head":`...), h.Head)
	b = strconv.AppendBool(append(b, `,"resumed":`...), h.Resumed)
	b = strconv.AppendInt(append(b, `,"heartbeat_ms":`...), h.HeartbeatMS, 10)
	return append(appendInstant(append(b, `,"now":`...), h.Now), '}')
}

func (v *SessionView) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"id":`...), v.ID)
	b = appendString(append(b, `,"user":{"username":`...), v.User.Username)
	b = appendString(append(b, `,"display_name":`...), v.User.DisplayName)
	b = appendString(append(b, `,"role":`...), string(v.User.Role))
	b = appendString(append(b, `,"locale":`...), v.User.Locale)
	b = appendString(append(b, `},"state":`...), string(v.State))
	b = appendReason(append(b, `,"reason":`...), v.Reason)
	b = strconv.AppendInt(append(b, `,"idle_remaining_ms":`...), v.IdleRemaining, 10)
	b = strconv.AppendInt(append(b, `,"max_remaining_ms":`...), v.MaxRemaining, 10)
	b = strconv.AppendInt(append(b, `,"warning_ms":`...), v.Warning, 10)
	b = appendInstant(append(b, `,"created_at":`...), v.CreatedAt)
	b = appendInstant(append(b, `,"last_active_at":`...), v.LastActiveAt)
	b = appendString(append(b, `,"ip":`...), v.IP)
	b = appendString(append(b, `,"user_agent":`...), v.UserAgent)
	return append(strconv.AppendBool(append(b, `,"current":`...), v.Current), '}')
}

// appendJSON writes what json.Marshal writes of a LockEvent: one follows each hello.
func (e *LockEvent) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"state":`...), e.State)
	b = appendReason(append(b, `,"reason":`...), e.Reason)
	b = strconv.AppendInt(append(b, `,"idle_remaining_ms":`...), e.IdleRemaining, 10)
	return append(strconv.AppendInt(append(b, `,"max_remaining_ms":`...), e.MaxRemaining, 10), '}')
}

func appendReason(b []byte, reason *models.Reason) []byte {
	if reason == nil {
		return append(b, "null"...)
	}
	return appendString(b, string(*reason))
}

func appendInstant(b []byte, at models.Instant) []byte { return append(at.Append(append(b, '"')), '"') }

// appendString leaves to the library what has to be escaped.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a string always has one
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
