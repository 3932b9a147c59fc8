package conformance_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

// notice is one publish, as it goes out and as it has to come in.
type notice struct {
	Title string `json:"title"`
	Body  string `json:"body"`
	Data  struct {
		Number int    `json:"number"`
		Text   string `json:"text"`
	} `json:"data"`
}

const (
	maxTitle = 200      // characters
	maxBody  = 16 << 10 // bytes
	maxData  = 15 << 10 // bytes, with room for the rest of the object
)

// hostile are texts that break readers and writers of event streams, of JSON or of both.
var hostile = []string{
	"\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r", "\r\n\n", "a\n", "\na", "a\rb", "a\r\nb",
	"\u2028", "\u2029", "\u0085", "\v", "\f", "\t", "\x01", "\x08", "\x0e", "\x1b[31m", "\x1f", "\x7f",
	"\ufeff", "\ufeffdata: x", "\ufffe", "\uffff", "\ufffd", "\U0010ffff", "\ue000",
	":", ": comment", "data:", "data: x", "data", "id: zz-9", "event: pause", "retry: 1", "\ndata: x\n\n", "\n\nid: zz-9\nevent: reset\ndata: {}\n\n",
	"\r\rdata: x\r\r", "x\n: y", " leading", "trailing ", "  ", "[DONE]", "null", "undefined", "{}", "0",
	`"`, `\`, `\n`, `\u0000`, `\ud800`, `\\"`, "'", "`", "</script><script>alert(1)</script>", "<!--", "]]>", "&amp;&#10;", "%00%0d%0a", "${x}", "{{x}}",
	"🔔", "👩‍👩‍👧‍👦", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "e\u0301\u0302\u0303", "\u202e\u0627\u0644\u0628", "שלום \u200f(שלום)\u200f", "مرحبا بالعالم", "漢字かな交じり文", "ﷺ", "\u200b\u200d\u2060", "\u00a0",
}

// notices draws n of them. The first are the hostile texts one by one: alone, at the beginning, at the
// end; then come mixtures, and now and then as much as fits.
func notices(seed uint64, n int) []notice {
	dice := rand.New(rand.NewPCG(seed, 7))
	all := make([]notice, n)
	for i := range all {
		var title, body string
		switch each := hostile[i%len(hostile)]; {
		case i < len(hostile):
			title, body = each, each
		case i < 2*len(hostile):
			title, body = "x"+each, each+"x"+each
		case i%25 == 0:
			title, body = mixture(dice, maxTitle, maxBody), mixture(dice, maxBody, maxBody)
		case i%25 == 1: // the dearest to escape
			title, body = strings.Repeat("\x01", maxTitle), strings.Repeat("\u2028", maxBody/3)
		default:
			title, body = mixture(dice, 1+dice.IntN(maxTitle), maxBody), mixture(dice, dice.IntN(400), maxBody)
		}
		all[i].Title, all[i].Body = title, body
		all[i].Data.Number, all[i].Data.Text = i, mixture(dice, dice.IntN(100), maxData)
	}
	return all
}

// mixture draws hostile texts and words, up to so many characters and bytes.
func mixture(dice *rand.Rand, characters, bytes int) string {
	var text strings.Builder
	for count := 0; ; {
		next := hostile[dice.IntN(len(hostile))]
		if dice.IntN(3) == 0 {
			next = fmt.Sprintf("word%d ", dice.IntN(1000))
		}
		count += utf8.RuneCountInString(next)
		if count > characters || text.Len()+len(next) > bytes {
			break
		}
		text.WriteString(next)
	}
	if text.Len() == 0 {
		return "x"
	}
	return text.String()
}
