// Command security shows that what docs/security.md promises is tested: it runs exactly the tests that bear a row of its
// tables, prints each row with its source, its tests and what they came to, and then who may call which route.
//
// A test bears rows by a line of the comment right above it:
//
//	// Security: S4, L12
//
// It ends with 1 where a test fails or a row has none, unless the row says why it does not apply. With -write it runs
// nothing, and fills the column of tests in the document.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
)

// documentFile is where the rows stand, from the top of the repository.
const documentFile = "docs/security.md"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "security:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("security", flag.ContinueOnError)
	write := flags.Bool("write", false, "fill the column of tests in "+documentFile+", and run nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, documentFile))
	if err != nil {
		return err
	}
	tests, err := findTests(root)
	if err != nil {
		return err
	}
	if *write {
		return os.WriteFile(filepath.Join(root, documentFile), []byte(fillIn(string(text), tests)), 0o644)
	}
	rows := readRows(string(text))
	if err := check(string(text), rows, tests); err != nil {
		return err
	}
	reports, err := os.MkdirTemp("", "belfry-security-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(reports) }()
	verdicts, err := runAll(ctx, root, reports, tests)
	if err != nil {
		return err
	}
	bad := printRows(os.Stdout, rows, tests, verdicts)
	routes, err := os.ReadFile(filepath.Join(reports, "routes"))
	if err != nil {
		return fmt.Errorf("who may call which route: %w", err)
	}
	fmt.Printf("\nWho may call which route\n\n%s", routes)
	if bad > 0 {
		return fmt.Errorf("%d rows do not hold", bad)
	}
	return nil
}

// printRows prints a line for each test of each row, and counts the rows that are missing or failed.
func printRows(w io.Writer, rows []row, tests []test, verdicts map[string]string) (bad int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nrow\trequirement\tsource\ttest\tresult")
	for _, r := range rows {
		lines := linesOf(r, tests, verdicts)
		holds := true
		for i, line := range lines {
			what, source := "", ""
			if i == 0 {
				what, source = shorten(r.requirement, 60), shorten(r.source, 24)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.id, what, source, line[0], line[1])
			holds = holds && (line[1] == passed || line[1] == notApplicable)
		}
		if !holds {
			bad++
		}
	}
	_ = table.Flush()
	fmt.Fprintf(w, "\n%d rows, %d hold, %d do not\n", len(rows), len(rows)-bad, bad)
	return bad
}

// linesOf is what is printed of a row: tests and their results.
func linesOf(r row, tests []test, verdicts map[string]string) (lines [][2]string) {
	for _, t := range tests {
		if t.bears(r.id) {
			verdict := verdicts[t.name()]
			if verdict == "" {
				verdict = "did not run"
			}
			lines = append(lines, [2]string{t.name(), verdict})
		}
	}
	switch {
	case len(lines) > 0:
	case r.reason != "":
		lines = [][2]string{{shorten(r.reason, 70), notApplicable}}
	default:
		lines = [][2]string{{"", "MISSING"}}
	}
	return lines
}

func shorten(text string, length int) string {
	text = strings.ReplaceAll(text, "`", "")
	if letters := []rune(text); len(letters) > length {
		return strings.TrimSpace(string(letters[:length-1])) + "…"
	}
	return text
}
