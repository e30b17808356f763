package fields

import "testing"

func TestPairs(t *testing.T) {
	for _, c := range []struct{ text, name, value string }{
		{"order:7", "order", "7"}, {"a:", "a", ""}, {":", "", ""}, {`a\:b:c:d\`, "a:b", `c:d\`}, {`\\:\`, `\`, `\`},
		{"é=:=", "é=", "="},
	} {
		name, value, ok := ParsePair(c.text, ':')
		if !ok || name != c.name || value != c.value {
			t.Errorf("%s: %q, %q, %t, want %q, %q", c.text, name, value, ok, c.name, c.value)
		}
		if got := FormatPair(c.name, c.value, ':'); got != c.text {
			t.Errorf("%q, %q are written %s, want %s", c.name, c.value, got, c.text)
		}
	}
	for _, text := range []string{"", "order", "order=7", `a\`, `a\b:c`, `a\:b`} {
		if name, value, ok := ParsePair(text, ':'); ok {
			t.Errorf("%s was read as %q, %q", text, name, value)
		}
	}
	if name, value, ok := ParsePair("a:b=c", '='); !ok || name != "a:b" || value != "c" {
		t.Errorf("with another separator: %q, %q, %t", name, value, ok)
	}
}
