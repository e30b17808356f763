package jobs

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestSanitizeError(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"Plain":             {"dial tcp: refused", "dial tcp: refused"},
		"LinesStay":         {"panic: x\n\n\tmain.go:1\r\n", "panic: x\n\n\tmain.go:1\n"},
		"NUL":               {"a\x00b", "ab"},
		"Controls":          {"a\x01\b\x7f\u0085b", "ab"},
		"InvalidUTF8":       {"a\xffb\xed\xa0\x80", "a\ufffdb\ufffd\ufffd\ufffd"},
		"Colour":            {"\x1b[1;31mred\x1b[0m", "red"},
		"OneByteCSI":        {"\u009b31mred", "red"},
		"Title":             {"\x1b]0;title\atext", "text"},
		"TitleWithST":       {"\x1b]0;title\x1b\\text", "text"},
		"UnfinishedTitle":   {"\x1b]0;the message", "0;the message"},
		"UnfinishedCSI":     {"\x1b[31", "31"},
		"OtherEscape":       {"\x1bcreset", "reset"},
		"LoneEscape":        {"x\x1b", "x"},
		"EscapeBeforeText":  {"\x1bé", "é"},
		"MarkupStays":       {"<img onerror>", "<img onerror>"},
		"OtherScriptsStay":  {"ошибка 😀 שגיאה", "ошибка 😀 שגיאה"},
		"ExactlyFits":       {strings.Repeat("x", MaxErrorBytes), strings.Repeat("x", MaxErrorBytes)},
		"CutAtRuneBoundary": {strings.Repeat("é", MaxErrorBytes), strings.Repeat("é", (MaxErrorBytes-3)/2) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			got := SanitizeError(c.in)
			if got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			if again := SanitizeError(got); again != got {
				t.Errorf("%q became %q", got, again)
			}
		})
	}
}

// Each of these takes well below a second on an idle machine. One that took quadratic time would take hours.
func TestSanitizeErrorIsQuick(t *testing.T) {
	for name, in := range map[string]string{
		"Text":    strings.Repeat("x", 10<<20),
		"Colours": strings.Repeat("\x1b[31m", 2<<20),
		"Titles":  strings.Repeat("\x1b]", 5<<20),
		"NULs":    strings.Repeat("\x00", 10<<20),
	} {
		begin := time.Now()
		if got := SanitizeError(in); len(got) > MaxErrorBytes {
			t.Errorf("%s: %d bytes", name, len(got))
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

func FuzzSanitizeError(f *testing.F) {
	for _, seed := range []string{"", "a\x00\xff", "\x1b[31mx", "\x1b]0;x\x1b", strings.Repeat("…", 1400), "\u009b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := SanitizeError(in)
		if !utf8.ValidString(got) || len(got) > MaxErrorBytes {
			t.Fatalf("%q", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) && r != '\n' && r != '\t' {
				t.Fatalf("%q holds %U", got, r)
			}
		}
		if again := SanitizeError(got); again != got {
			t.Fatalf("%q became %q", got, again)
		}
	})
}
