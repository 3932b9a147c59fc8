package services

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestFoldText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"Build FAILED": "build failed", "ÜBER": "über", "Straße": "strasse", "ＢＵＩＬＤ１２": "build12", "ｶﾞｷﾞ": "ガギ",
		"ΣΊΣΥΦΟΣ": "σίσυφοσ", "e\u0301": "é", "ﬁne": "fine", "構建": "構建", "": ""} {
		if have := foldText(text); have != want {
			t.Errorf("%q folds to %q, want %q", text, have, want)
		}
	}
}

// TestHolds says what is found, and that the index is asked for nothing that it does not have of it.
func TestHolds(t *testing.T) {
	t.Parallel()
	const text = "Build #482 failed: server-7 (东京数据库) iPhone手机 ｶﾀｶﾅ ที่ข้อมูล 🔥 100%_\\ don't"
	for query, want := range map[string]bool{
		"build": true, "BUILD failed": true, "failed build": true, "uil": true, "ui": false, "bu": true, "b": true, "u": false, "482": true, "82": false, "48": true, "#482": true,
		"failed:": true, "server-7": true, "server 7": true, "erver-7": true, "er-7": false, "r-7": false, "-7": true, "serverless": false,
		"东京": true, "京数": true, "数据库": true, "库": true, "东数": false, "(东京": true, "京城": false, "phone手": true, "ne手机": false, "手机": true, "手机 build": true,
		"カタ": true, "タカ": true, "ข้อ": true, "มูล": true, "🔥": true, "🔥 build": true, "🧊": false, "%_": true, "100%": true, "00%": false, "\\": true, "don't": true, "n't": false, "ton't": false,
	} {
		asked, folded := termSet{}, foldText(query)
		asked.ask(folded)
		if len(asked) == 0 {
			t.Errorf("%q asks the index for nothing", query)
		}
		if have := holds(strings.Fields(folded), foldText(text)); have != want {
			t.Errorf("%q is found: %v", query, have)
		}
		if missing := missingTerms(text, query); want && missing > 0 {
			t.Errorf("%q is there, but the index lacks %d of its terms", query, missing)
		}
	}
	if holds([]string{"ab"}, "xab", "b") || !holds([]string{"one", "two"}, "two", "one") || holds([]string{"one", "two"}, "one", "one") {
		t.Error("words are looked for in the wrong text")
	}
}

// missingTerms is how many of a query's terms are not among those of a text.
func missingTerms(text, query string) (missing int) {
	has, asked := termSet{}, termSet{}
	has.index(foldText(text))
	asked.ask(foldText(query))
	for term := range asked {
		if _, there := has[term]; !there {
			missing++
		}
	}
	return missing
}

// FuzzTerms: what is found has all its terms in the index, or it would be found while it is new and not any more a moment
// later.
func FuzzTerms(f *testing.F) {
	f.Add("Build failed 东京 ok-7", "uil 京 ok-")
	f.Add("a\u0300b ｶﾞ ß", "b ガ ss")
	f.Add("x\u00a0y\u2003z\u0085 ＡＢ", "ab z")
	f.Add("\xff\xfe ab", "\xff")
	f.Fuzz(func(t *testing.T, text, query string) {
		folded := foldText(query)
		if holds(strings.Fields(folded), foldText(text)) && missingTerms(text, query) > 0 {
			t.Errorf("%q in %q: %d terms are missing", query, text, missingTerms(text, query))
		}
	})
}

// TestTermsOfParts cuts parts out of texts, which are found wherever they were cut.
func TestTermsOfParts(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 3))
	alphabet := []rune("aAbé1 \t-#东京カｶﾞ한ข้🔥ß\u0301ー＿")
	for range 20_000 {
		text := make([]rune, 1+random.IntN(20))
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		from := random.IntN(len(text))
		part := string(text[from : from+1+random.IntN(len(text)-from)])
		whole := string(text)
		if holds(strings.Fields(foldText(part)), foldText(whole)) && missingTerms(whole, part) > 0 {
			t.Fatalf("%q in %q: %d terms are missing", part, whole, missingTerms(whole, part))
		}
	}
}
