// Package drawing draws pictures for the documentation.
package drawing

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"
)

// Drawing is an SVG that is put together line by line. It is as wide as a page of documentation, so its letters are
// as large there as they say, and it follows the reader's choice of light or dark.
type Drawing struct {
	body   strings.Builder
	title  string
	Height float64 // to be set before Save
}

const (
	// Width is that of every drawing, in pixels.
	Width = 700.0
	// Margin is what stays free at its sides.
	Margin = 16.0

	style = `text{font:14px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#1f2328}
.title{font-size:17px;font-weight:600}.small{font-size:12.5px;fill:#59636e}.strong{font-weight:600}
.surface{fill:#fff}.bar{fill:#8c959f}.ours{fill:#0969da}.floor{fill:#d0d7de}
.grid{stroke:#d8dee4}.axis{stroke:#8c959f}.spread{stroke:#1f2328;stroke-width:1.5}.limit{stroke:#cf222e;stroke-dasharray:5 4}
.one{stroke:#0969da;fill:#0969da}.two{stroke:#bc4c00;fill:#bc4c00}path.one,path.two{fill:none;stroke-width:2.5}path.two{stroke-dasharray:7 4}
text.one,text.two{stroke:none;font-weight:600}text.limit{stroke:none;fill:#cf222e;font-size:12.5px}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.surface{fill:#0d1117}.bar{fill:#6e7681}.ours{fill:#4493f8}.floor{fill:#3d444d}
.grid{stroke:#2a313c}.axis{stroke:#6e7681}.spread{stroke:#f0f6fc}.limit{stroke:#f85149}text.limit{fill:#f85149}
.one{stroke:#4493f8;fill:#4493f8}.two{stroke:#f0883e;fill:#f0883e}}`
)

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// Text writes a text at its baseline. anchor is start, middle or end.
func (d *Drawing) Text(x, y float64, class, anchor, text string) {
	fmt.Fprintf(&d.body, "<text x=\"%.1f\" y=\"%.1f\" class=%q text-anchor=%q>%s</text>\n", x, y, class, anchor, escaped(text))
}

// Bar has a text that is told to whoever points at it.
func (d *Drawing) Bar(x, y, width, height float64, class, told string) {
	fmt.Fprintf(&d.body, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" class=%q><title>%s</title></rect>\n", x, y, width, height, class, escaped(told))
}

// Line goes from one point to another.
func (d *Drawing) Line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&d.body, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=%q/>\n", x1, y1, x2, y2, class)
}

// Dot has a text as a bar has.
func (d *Drawing) Dot(x, y float64, class, told string) {
	fmt.Fprintf(&d.body, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=%q><title>%s</title></circle>\n", x, y, class, escaped(told))
}

// Path goes from point to point.
func (d *Drawing) Path(points [][2]float64, class string) {
	var b strings.Builder
	for i, p := range points {
		letter := "L"
		if i == 0 {
			letter = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", letter, p[0], p[1])
	}
	fmt.Fprintf(&d.body, "<path d=%q class=%q/>\n", b.String(), class)
}

// Head writes the title and what is to be read, and gives where the rest begins.
func (d *Drawing) Head(title, subtitle string) (y float64) {
	d.title = title
	d.Text(Margin, 28, "title", "start", title)
	d.Text(Margin, 49, "small", "start", subtitle)
	return 66
}

// Save writes the picture.
func (d *Drawing) Save(path string) error {
	text := fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0[1]f\" height=\"%.0[2]f\" role=\"img\" aria-label=%[3]q>\n<style>\n%[4]s\n</style>\n"+
		"<rect class=\"surface\" width=\"%.0[1]f\" height=\"%.0[2]f\" rx=\"6\"/>\n%[5]s</svg>\n", Width, d.Height, escaped(d.title), style, d.body.String())
	return os.WriteFile(path, []byte(text), 0o644)
}
