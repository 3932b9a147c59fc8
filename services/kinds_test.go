package services

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestEveryKindIsCounted reads the sources: an entry whose kind is not among those that are counted would be missing from
// the metrics without a word.
func TestEveryKindIsCounted(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	counted, found := newKinds(), 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				return true
			}
			for i, name := range spec.Names {
				value, ok := spec.Values[i].(*ast.BasicLit)
				if !ok || value.Kind != token.STRING || !strings.HasPrefix(name.Name, "kind") {
					continue
				}
				found++
				if kind, _ := strconv.Unquote(value.Value); counted[kind] == nil {
					t.Errorf("%s: %s is not counted", file.Name(), name.Name)
				}
			}
			return true
		})
	}
	if found != len(counted) {
		t.Errorf("%d kinds are declared, %d counted", found, len(counted))
	}
}
