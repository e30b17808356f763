package jobs

import (
	"strings"
	"unicode/utf8"
)

// cutMark ends a text that was cut.
const cutMark = "…"

// SanitizeError makes a handler's error text fit to be stored and shown: valid UTF-8 without NUL, other control
// characters (newlines and tabs stay) or terminal escapes, cut to MaxErrorBytes. It does not change its own results.
func SanitizeError(text string) string {
	var b strings.Builder
	b.Grow(min(len(text), MaxErrorBytes))
	fits := 0 // how much of b leaves room for the mark
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == 0x1b || r == 0x9b:
			i += terminalEscape(text[i:])
			continue
		case r == '\n' || r == '\t':
		case r < 0x20, 0x7f <= r && r < 0xa0:
			i += size
			continue
		}
		i += size
		if b.Len()+utf8.RuneLen(r) > MaxErrorBytes {
			return b.String()[:fits] + cutMark
		}
		b.WriteRune(r) // of invalid UTF-8, U+FFFD
		if b.Len() <= MaxErrorBytes-len(cutMark) {
			fits = b.Len()
		}
	}
	return b.String()
}

// terminalEscape measures the control sequence that s begins with. Where the sequence is not complete only its
// introducer counts, so that it hides no text.
func terminalEscape(s string) int {
	body, introducer := 1, 1
	switch {
	case strings.HasPrefix(s, "\u009b"): // CSI as one character
		body = len("\u009b")
		introducer = body
	case len(s) < 2:
		return 1
	case s[1] == '[':
		body, introducer = 2, 2
	case strings.IndexByte("]PX^_", s[1]) >= 0: // a string up to BEL or ESC \
		end := strings.IndexAny(s[2:], "\a\x1b\n")
		switch {
		case end < 0:
		case s[2+end] == '\a':
			return 2 + end + 1
		case strings.HasPrefix(s[2+end:], "\x1b\\"):
			return 2 + end + 2
		}
		return 2
	case 0x30 <= s[1] && s[1] <= 0x7e:
		return 2
	default:
		return 1
	}
	for body < len(s) && 0x20 <= s[body] && s[body] <= 0x3f {
		body++
	}
	if body < len(s) && 0x40 <= s[body] && s[body] <= 0x7e {
		return body + 1
	}
	return introducer
}
