package report

import (
	"fmt"
	"io"
	"strings"
)

// Fact is a line about what was measured and where.
type Fact struct{ Name, Text string }

// Markdown writes a page that stands by itself: what was measured where, the table, and every system's settings.
func (t *Table) Markdown(w io.Writer, title string, facts []Fact) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", title)
	for _, f := range facts {
		fmt.Fprintf(&b, "- **%s:** %s\n", f.Name, f.Text)
	}
	fmt.Fprintf(&b, "\n\"%[1]s ÷ it\" is the median of %[1]s divided by that of the system in the line, and \"CPU ÷ its\" the same for CPU;\n", t.Reference)
	b.WriteString("a unit with ↓ is better when less. CPU is that of clients and servers together.\n\n")
	head := t.head()
	fmt.Fprintf(&b, "| %s |\n|---|---|", strings.Join(head, " | "))
	for _, name := range head[2:] {
		if name == "unit" {
			b.WriteString("---|")
		} else {
			b.WriteString("---:|")
		}
	}
	b.WriteByte('\n')
	for _, line := range t.lines() {
		if line[0] != "" {
			line[0] = "**" + line[0] + "**"
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
	}
	b.WriteString("\n## Settings\n\n| measure | system | settings |\n|---|---|---|\n")
	for _, r := range t.rows {
		for i, c := range r.cells {
			name := ""
			if i == 0 {
				name = r.name
			}
			text := c.settings
			if c.failed != "" {
				text = "failed: " + strings.ReplaceAll(c.failed, "\n", " ")
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, c.system, text)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
