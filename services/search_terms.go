package services

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// partLength is from how many letters on a part of a word is found wherever it stands in it. What is shorter is found
// where a word begins.
const partLength = 3

// foldText makes texts equal that differ in case or width alone (NFKC and full case folding, Unicode Standard §3.13).
func foldText(text string) string {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
		}
	}
	return strings.ToLower(text)
}

// script says how a character takes part in words.
type script int

const (
	space  script = iota
	symbol        // stands for itself
	letter        // of a word
	dense         // of a text without spaces between words: each character counts, and each two that stand together
)

// unspaced are the scripts that put no spaces between words, and the mark that lengthens a sound in two of them.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo, unicode.Yi,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, {R16: []unicode.Range16{{Lo: 'ー', Hi: 'ー', Stride: 1}}}}

func scriptOf(r rune) script {
	switch {
	case r < utf8.RuneSelf:
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return letter
		case r <= ' ' || r == 0x7f:
			return space
		}
		return symbol
	case unicode.IsSpace(r):
		return space
	case unicode.In(r, unspaced...):
		return dense
	case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r):
		return letter
	}
	return symbol
}

// termSet collects the terms of a text, each as a hash. Two terms of one hash cost a look at a text that does not match.
type termSet map[uint32]struct{}

// The first byte of a term's hash keeps kinds apart that may have the same letters.
const (
	termAudience = 'a'
	termCategory = 'c'
	termBegin    = 'b' // the first one or two letters of a word
	termPart     = 'p' // three letters that stand together
	termSign     = 's' // a character by itself
	termPair     = 'd' // two of a script without spaces
)

// termHash is FNV-1a.
func termHash(kind byte, text string) uint32 {
	h := (uint32(2166136261) ^ uint32(kind)) * 16777619
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return h
}

func (t termSet) add(kind byte, text string) { t[termHash(kind, text)] = struct{}{} }

// run is characters of one script that stand together.
type run struct {
	script script
	text   string
}

// runs gives what a folded text consists of, without its spaces.
func runs(text string, each func(run)) {
	begin, current := 0, space
	flush := func(end int) {
		if current != space && end > begin {
			each(run{current, text[begin:end]})
		}
		begin = end
	}
	for i, r := range text {
		if s := scriptOf(r); s != current {
			flush(i)
			current = s
		}
	}
	flush(len(text))
}

// ends gives where each character of a text ends, after a 0 for its beginning.
func ends(text string) []int {
	at := make([]int, 1, len(text)+1)
	for i := range text {
		if i > 0 {
			at = append(at, i)
		}
	}
	return append(at, len(text))
}

// index adds the terms under which a folded text is found.
func (t termSet) index(text string) {
	runs(text, func(r run) {
		at := ends(r.text)
		last := len(at) - 1
		if r.script == letter {
			t.add(termBegin, r.text[:at[1]])
			t.add(termBegin, r.text[:at[min(2, last)]])
			t.parts(r.text, at)
			return
		}
		for i := range last {
			t.add(termSign, r.text[at[i]:at[i+1]])
			if r.script == dense && i+2 <= last {
				t.add(termPair, r.text[at[i]:at[i+2]])
			}
		}
	})
}

func (t termSet) parts(text string, at []int) {
	for i := 0; i+partLength < len(at); i++ {
		t.add(termPart, text[at[i]:at[i+partLength]])
	}
}

// ask adds terms that every text has which holds the folded query: all its words, in any order.
func (t termSet) ask(query string) {
	runs(query, func(r run) {
		at := ends(r.text)
		last := len(at) - 1
		switch {
		case r.script == letter && last < partLength:
			t.add(termBegin, r.text)
		case r.script == letter:
			t.parts(r.text, at)
		case r.script == dense && last > 1:
			for i := 0; i+2 <= last; i++ {
				t.add(termPair, r.text[at[i]:at[i+2]])
			}
		default:
			for i := range last {
				t.add(termSign, r.text[at[i]:at[i+1]])
			}
		}
	})
}

// holds is whether each word of a folded query is in one of the folded texts: it says what is found, the terms only where to
// look.
func holds(words []string, texts ...string) bool {
	for _, word := range words {
		found := false
		for _, text := range texts {
			found = found || holdsWord(text, word)
		}
		if !found {
			return false
		}
	}
	return true
}

// holdsWord looks for a word as a part of the text. One that begins with fewer than partLength letters has to begin where a
// word does.
func holdsWord(text, word string) bool {
	if !beginsShort(word) {
		return strings.Contains(text, word)
	}
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		if before, _ := utf8.DecodeLastRuneInString(text[:from+i]); from+i == 0 || scriptOf(before) != letter {
			return true
		}
		from += i + 1
	}
}

func beginsShort(word string) bool {
	letters := 0
	for _, r := range word {
		if scriptOf(r) != letter {
			break
		}
		letters++
	}
	return letters > 0 && letters < partLength
}
