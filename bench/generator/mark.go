package generator

import "bytes"

// A Mark stands in the text of each message and says what it is: a tilde, which stands nowhere else on a stream, then
// the audience, the number and the time in digits of fixed width. JSON leaves all of it as it is.
type Mark struct {
	Audience int   // whose line of numbers it is
	Number   int   // 0, 1, 2… within the audience
	Sent     int64 // ns since 1970
}

const (
	tilde          = '~'
	audienceDigits = 7
	numberDigits   = 9
	timeDigits     = 19

	// MarkLen is the length of a mark in bytes.
	MarkLen = 1 + audienceDigits + 1 + numberDigits + 1 + timeDigits
)

// Append appends the mark to a text.
func (m Mark) Append(b []byte) []byte {
	b = appendDigits(append(b, tilde), int64(m.Audience), audienceDigits)
	b = appendDigits(append(b, '.'), int64(m.Number), numberDigits)
	return appendDigits(append(b, '.'), m.Sent, timeDigits)
}

func appendDigits(b []byte, n int64, width int) []byte {
	at := len(b)
	b = append(b, "0000000000000000000"[:width]...)
	for i := at + width - 1; i >= at; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// markReader finds marks. It knows the last one by heart: a message to a thousand streams is read once.
type markReader struct {
	text  [MarkLen]byte
	mark  Mark
	known bool
}

// find finds the first mark in a line.
func (r *markReader) find(line []byte) (m Mark, found bool) {
	at := bytes.IndexByte(line, tilde)
	if at < 0 || len(line) < at+MarkLen {
		return m, false
	}
	b := line[at : at+MarkLen]
	if r.known && bytes.Equal(b, r.text[:]) {
		return r.mark, true
	}
	audience, ok := digits(b[1:][:audienceDigits])
	number, ok2 := digits(b[1+audienceDigits+1:][:numberDigits])
	sent, ok3 := digits(b[MarkLen-timeDigits:])
	if !ok || !ok2 || !ok3 {
		return m, false
	}
	copy(r.text[:], b)
	r.mark, r.known = Mark{int(audience), int(number), sent}, true
	return r.mark, true
}

func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
