package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/jobs"
)

// printAnswer prints the API's newest answer as it is, on one line, and at once: another program may wait for it.
func (sh *shell) printAnswer() error {
	sh.out.Write(bytes.TrimSpace(sh.answer))
	sh.out.WriteByte('\n')
	return sh.out.Flush()
}

// note tells a person at the terminal something that is no result.
func (sh *shell) note(format string, args ...any) {
	if sh.talks {
		fmt.Fprintf(sh.stderr, format+"\n", args...)
	}
}

// wideFlag adds --wide to a command that prints a table.
func (sh *shell) wideFlag(command *cobra.Command) {
	command.Flags().BoolVar(&sh.wide, "wide", false, "print all columns, exact times and long texts")
}

// table prints rows beneath a header, in columns. Widths grow with the rows, and stay from flush to flush.
type table struct {
	sh     *shell
	right  []bool
	widths []int
	rows   [][]string
	colors [][]string // of each row; may be shorter than the row
}

// newTable begins a table. A column whose name begins with ">" has its texts to the right.
func (sh *shell) newTable(names ...string) *table {
	t := &table{sh: sh, right: make([]bool, len(names)), widths: make([]int, len(names))}
	header := make([]string, len(names))
	for i, name := range names {
		header[i] = strings.TrimPrefix(name, ">")
		t.right[i] = header[i] != name
	}
	t.row(header...)
	return t
}

func (t *table) row(cells ...string) {
	for i := range cells {
		cells[i] = clean(strings.Join(strings.Fields(cells[i]), " "))
		if cells[i] == "" {
			cells[i] = "-"
		}
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cells[i]))
	}
	t.rows = append(t.rows, cells)
	t.colors = append(t.colors, nil)
}

// paint colours a cell of the newest row.
func (t *table) paint(column int, color string) {
	last := len(t.rows) - 1
	t.colors[last] = make([]string, len(t.widths))
	t.colors[last][column] = color
}

func (t *table) flush() error {
	for r, cells := range t.rows {
		var line strings.Builder
		for i, text := range cells {
			padding := strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(text))
			if t.colors[r] != nil {
				text = t.sh.paint(text, t.colors[r][i])
			}
			if t.right[i] {
				line.WriteString(padding + text + "  ")
			} else {
				line.WriteString(text + padding + "  ")
			}
		}
		fmt.Fprintln(t.sh.out, strings.TrimRight(line.String(), " "))
	}
	t.rows, t.colors = nil, nil
	return t.sh.out.Flush()
}

// facts prints names and values beneath each other.
func (sh *shell) facts(pairs ...string) {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		width = max(width, len(pairs[i]))
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(sh.out, "%-*s  %s\n", width, pairs[i], pairs[i+1])
		}
	}
}

// The colours of a terminal.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	cyan   = "36"
	grey   = "90"
)

var stateColors = map[jobs.State]string{
	jobs.StateScheduled: blue, jobs.StateRetrying: yellow, jobs.StateRunning: cyan, jobs.StateCancelling: yellow,
	jobs.StateCompleted: green, jobs.StateCancelled: grey, jobs.StateDead: red,
}

func (sh *shell) paint(text, color string) string {
	if !sh.color || color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// clean makes a text from elsewhere fit for a terminal: what is not printable is shown as an escape, so that a job's
// error cannot move the cursor. Line ends stay.
func clean(text string) string {
	plain := func(r rune) bool { return r == '\n' || unicode.IsPrint(r) }
	if utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case plain(r):
			b.WriteRune(r)
		case r == '\t':
			b.WriteString("    ")
		case r == '\r':
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// cut shortens a text to one line of a table, unless --wide asks for all of it.
func (sh *shell) cut(text string, length int) string {
	text = strings.Join(strings.Fields(text), " ")
	if sh.wide || utf8.RuneCountInString(text) <= length {
		return text
	}
	return string([]rune(text)[:length-1]) + "…"
}

// when is a time for people: how long ago, or exactly with --wide. It is empty for the zero time.
func (sh *shell) when(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case sh.wide:
		return exact(t)
	default:
		return relative(time.Since(t))
	}
}

func exact(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func relative(ago time.Duration) string {
	if ago < -time.Second { // the clocks of the two machines may differ a little
		return "in " + span(-ago)
	}
	return span(max(ago, 0)) + " ago"
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}

// indented is JSON for people.
func indented(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return clean(string(raw))
	}
	return clean(b.String())
}
