package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Fact is a line of the page about the machine or the software.
type Fact struct{ Name, Text string }

// Markdown writes a complete page: the facts, the table, and the settings of every system.
func (t *Table) Markdown(w io.Writer, title string, facts []Fact) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", title)
	for _, f := range facts {
		fmt.Fprintf(&b, "- **%s:** %s\n", f.Name, f.Text)
	}
	fmt.Fprintf(&b, "\n\"%[1]s ÷ it\" is the median of %[1]s divided by the median of the system in that line. "+
		"\"CPU ÷ its\" is the same for CPU.\n", t.Reference)
	b.WriteString("↓ after a unit means that less is better. CPU is the sum of clients and servers.\n\n")
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
	b.WriteString("\n## Settings\n\n| system | settings | in |\n|---|---|---|\n")
	for _, s := range t.settings() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.system, s.text, strings.Join(s.measures, "; "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// setting is the settings of a system, and the measures that used them.
type setting struct {
	system, text string
	measures     []string
}

// settings lists each setting of every system once, sorted by system.
func (t *Table) settings() (list []*setting) {
	for _, r := range t.rows {
		for _, c := range r.cells {
			text := c.settings
			if c.failed != "" {
				text = "failed: " + strings.ReplaceAll(c.failed, "\n", " ")
			}
			i := slices.IndexFunc(list, func(s *setting) bool { return s.system == c.system && s.text == text })
			if i < 0 {
				i = len(list)
				list = append(list, &setting{system: c.system, text: text})
			}
			if s := list[i]; !slices.Contains(s.measures, r.measure()) {
				s.measures = append(s.measures, r.measure())
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *setting) int { return strings.Compare(a.system, b.system) })
	return list
}

// measure returns the first part of a row's name: the measure without its parameters.
func (r *row) measure() string {
	name, _, _ := strings.Cut(r.name, ":")
	name, _, _ = strings.Cut(name, ", ")
	return name
}
