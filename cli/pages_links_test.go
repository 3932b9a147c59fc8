package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// link is what stands behind a text in brackets, or what an image of HTML shows.
var link = regexp.MustCompile(`(?:\]\(|<img src=")([^)"\s]+)[)"]`)

var heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)

// anchor is what GitHub calls a heading by: letters, digits, - and _ in lower case, and a hyphen for each space.
func anchor(heading string) string {
	heading = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// anchors are those of a page; a heading that comes again gets a number.
func anchors(text string) map[string]bool {
	seen, found := map[string]int{}, map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := anchor(m[1])
		if n := seen[name]; n > 0 {
			found[name+"-"+string(rune('0'+n))] = true
		}
		seen[name]++
		found[name] = true
	}
	return found
}

// allPages are the Markdown files of the repository.
func allPages(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"node_modules", "dist", ".git", "bin", "data", "test-results"}, entry.Name()):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			names = append(names, strings.TrimPrefix(path, "../"))
		}
		return nil
	})
	if err != nil || len(names) < 10 {
		t.Fatalf("%d pages: %v", len(names), err)
	}
	return names
}

// TestLinks: whatever a page leads to within the repository is there, to the heading.
func TestLinks(t *testing.T) {
	for _, page := range allPages(t) {
		text := readPage(t, page)
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, place, _ := strings.Cut(m[1], "#")
			there := text
			if file != "" {
				path := filepath.Join("..", filepath.Dir(page), file)
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s leads to %s, which is not there", page, m[1])
					continue
				}
				if place != "" {
					there = readPage(t, strings.TrimPrefix(path, "../"))
				}
			}
			if place != "" && !anchors(there)[place] {
				t.Errorf("%s leads to %s, and there is no such heading", page, m[1])
			}
		}
	}
}

// TestPictures: each picture is shown somewhere, with words for those who do not see it.
func TestPictures(t *testing.T) {
	files, err := filepath.Glob("../docs/images/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	shown := map[string]bool{}
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(readPage(t, page), -1) {
			shown[filepath.Base(m[1])] = true
		}
		if m := regexp.MustCompile(`!\[\s*\]\([^)]+\)|<img src="[^"]*" (?:[^a]|alt="")`).FindString(readPage(t, page)); m != "" {
			t.Errorf("%s: %s has no words", page, m)
		}
	}
	for _, file := range files {
		if !shown[filepath.Base(file)] {
			t.Errorf("no page shows %s", file)
		}
	}
}

// TestPagesAreFound: the README leads to each page, or to one that does.
func TestPagesAreFound(t *testing.T) {
	found := []string{"README.md"}
	for i := 0; i < len(found); i++ {
		for _, m := range link.FindAllStringSubmatch(readPage(t, found[i]), -1) {
			file, _, _ := strings.Cut(m[1], "#")
			name := filepath.Join(filepath.Dir(found[i]), file)
			if strings.HasSuffix(file, ".md") && !strings.Contains(file, "://") && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	for _, page := range pages(t) {
		if !slices.Contains(found, page) {
			t.Errorf("nothing leads to %s", page)
		}
	}
}
