package services

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"belfry/models"
)

// writer makes notices up, the same for the same seed.
type writer struct {
	random *rand.Rand
	zipf   *rand.Zipf
	words  []string
}

func newWriter() *writer {
	w := &writer{random: rand.New(rand.NewPCG(5, 5))}
	const letters, characters = "etaoinshrdlucmfwygpbvk", "构建失败成功服务器警告磁盘空间用户登录数据库更新会议明天文件上传下载"
	signs := []rune(characters)
	for range 20_000 {
		b := make([]byte, 3+w.random.IntN(7))
		for i := range b {
			b[i] = letters[min(w.random.IntN(len(letters)), w.random.IntN(len(letters)))]
		}
		w.words = append(w.words, string(b))
		if len(w.words)%10 == 0 {
			w.words = append(w.words, string([]rune{signs[w.random.IntN(len(signs))], signs[w.random.IntN(len(signs))], signs[w.random.IntN(len(signs))]}))
		}
	}
	w.zipf = rand.NewZipf(w.random, 1.1, 20, uint64(len(w.words)-1))
	return w
}

func (w *writer) text(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = w.words[w.zipf.Uint64()]
	}
	return strings.Join(words, " ")
}

// fill writes a log of notices past the journal, which takes them one after the other. about says of each for whom it is, of
// which category, and what its text says besides.
func (n *node) fill(t testing.TB, count int, about func(i int) (audience, category, text string)) {
	t.Helper()
	w := newWriter()
	const chunk = 500
	for begin := 1; begin <= count; begin += chunk {
		var entries, recipients []any
		rows := min(chunk, count-begin+1)
		for i := begin; i < begin+rows; i++ {
			audience, category, text := about(i)
			payload, err := json.Marshal(models.NoticeContent{Category: &category, Title: w.text(4) + " " + text, Body: w.text(8 + w.random.IntN(8)), Format: "text", Severity: "info",
				Actions: []models.Action{}, Data: json.RawMessage("null"), Sender: models.Sender{Type: "system", Name: "test"}})
			must(t, err)
			entries = append(entries, i, i, audience, category, string(payload))
			recipients = append(recipients, audience, i)
		}
		must(t, n.db.Write.Exec("INSERT INTO entries (log_offset, kind, subject, audiences, topic, payload, created_at) VALUES "+
			strings.TrimSuffix(strings.Repeat("(?, 'notice', ?, ?, ?, ?, 0),", rows), ","), entries...).Error)
		must(t, n.db.Write.Exec("INSERT INTO recipients (audience, log_offset) VALUES "+strings.TrimSuffix(strings.Repeat("(?, ?),", rows), ","), recipients...).Error)
	}
	must(t, n.db.Write.Exec("UPDATE log_head SET head = ?", count).Error)
	n.journal.Forget()
}
