package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Table collects figures.
type Table struct {
	Reference string   // the system that the others are compared with
	Order     []string // order of the systems; others come last, in the order they were added

	rows []*row
}

// row is one measure, for all systems.
type row struct {
	name, unit string
	lower      bool
	cells      []*cell
}

type cell struct {
	system   string
	numbers  series
	cpu      series
	settings string
	failed   string // why there is no number; empty: there is one
}

// Add adds one figure of a system, and the settings that it was measured with.
func (t *Table) Add(system, settings string, v Value) {
	r, c := t.cell(system, v.Row)
	r.unit, r.lower, c.settings = v.Unit, v.Lower, settings
	c.numbers = append(c.numbers, v.Number)
	if !math.IsNaN(v.CPU) {
		c.cpu = append(c.cpu, v.CPU)
	}
}

// Fail records that a measure of a system failed, so that its line says so.
func (t *Table) Fail(system, name, why string) {
	_, c := t.cell(system, name)
	c.failed = why
}

// Failed reports whether any measure failed.
func (t *Table) Failed() bool {
	return slices.ContainsFunc(t.rows, func(r *row) bool {
		return slices.ContainsFunc(r.cells, func(c *cell) bool { return c.failed != "" })
	})
}

// cell returns the row of that name and the system's cell in it. It makes them if they do not exist.
func (t *Table) cell(system, name string) (*row, *cell) {
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.name == name })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, &row{name: name})
	}
	r := t.rows[i]
	for _, c := range r.cells {
		if c.system == system {
			return r, c
		}
	}
	c := &cell{system: system}
	r.cells = append(r.cells, c)
	slices.SortStableFunc(r.cells, func(a, b *cell) int { return t.rank(a.system) - t.rank(b.system) })
	return r, c
}

func (t *Table) rank(system string) int {
	if i := slices.Index(t.Order, system); i >= 0 {
		return i
	}
	return len(t.Order)
}

// head names the columns of lines.
func (t *Table) head() []string {
	return []string{"measure", "system", "median", "range", "unit", "CPU µs/job", t.Reference + " ÷ it", "CPU ÷ its"}
}

// lines returns the table as text, one line for each system of each row.
func (t *Table) lines() [][]string {
	var lines [][]string
	for _, r := range t.rows {
		var reference *cell
		if i := slices.IndexFunc(r.cells, func(c *cell) bool { return c.system == t.Reference && c.failed == "" }); i >= 0 {
			reference = r.cells[i]
		}
		for i, c := range r.cells {
			name := ""
			if i == 0 {
				name = r.name
			}
			if c.failed != "" {
				lines = append(lines, []string{name, c.system, "failed", "", "", "", "", ""})
				continue
			}
			low, high := c.numbers.span()
			line := []string{
				name, c.system, number(c.numbers.median()), number(low) + "–" + number(high), r.direction(),
				number(c.cpu.median()), "", "",
			}
			if reference != nil && reference != c {
				line[6] = ratio(reference.numbers.median(), c.numbers.median())
				line[7] = ratio(reference.cpu.median(), c.cpu.median())
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// direction returns the unit, with an arrow if less is better.
func (r *row) direction() string {
	if r.lower {
		return r.unit + " ↓"
	}
	return r.unit
}

// Write prints the table for a terminal.
func (t *Table) Write(w io.Writer) error {
	lines := append([][]string{t.head()}, t.lines()...)
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for n, line := range lines {
		if n > 0 && line[0] != "" {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		var b strings.Builder
		for i, text := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i == 0 || i == 1 || i == 4 { // words to the left, numbers to the right
				b.WriteString(text + pad + "  ")
			} else {
				b.WriteString(pad + text + "  ")
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	for _, r := range t.rows {
		for _, c := range r.cells {
			if c.failed != "" {
				if _, err := fmt.Fprintf(w, "\n%s, %s: %s\n", r.name, c.system, c.failed); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// number formats a number with three significant digits (9.99, 99.9, 999), or as a whole number with commas
// (1,234,567).
func number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v < 0:
		return "-" + number(-v)
	case v == 0:
		return "0"
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

func ratio(a, b float64) string {
	if math.IsNaN(a) || math.IsNaN(b) || b == 0 {
		return ""
	}
	return number(a/b) + "×"
}
