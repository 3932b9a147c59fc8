package generator

import (
	"fmt"
	"testing"
)

// A frame as it comes in fanout, read and accounted for; the read itself is the kernel's.
func BenchmarkDelivery(b *testing.B) {
	const streams = 1000
	l := &Loop{Tally: &Tally{}}
	l.ledger.tally = l.Tally
	l.Audiences(1)
	all := make([]*Stream, streams)
	for i := range all {
		s := &Stream{events: events{marks: &l.marks}}
		l.Open(s, 0)
		_, _ = s.response.take([]byte(chunkedHead), s.onBody)
		all[i] = s
	}
	var frame []byte
	for i := 0; b.Loop(); i++ {
		if i%streams == 0 {
			m := Mark{0, l.ledger.send(0), 1}
			frame = []byte(chunk(fmt.Sprintf("event: notice\ndata: {\"id\":123,\"title\":\"The build is done\",\"body\":\"All 812 checks passed in 3 min 12 s. The packages lie where those of the last one lay, and the log is kept for a week. %s\",\"format\":\"text\",\"url\":null,\"actions\":[],\"severity\":\"info\",\"category\":null,\"data\":null,\"from\":{\"type\":\"key\",\"name\":\"bench\"},\"created_at\":\"2026-11-21T15:00:00.000Z\",\"read_at\":null}\nid: 0123456789-123456\n\n", m.Append(nil))))
		}
		s := all[i%streams]
		s.now = 2
		_, _ = s.response.take(frame, s.onBody)
	}
}
