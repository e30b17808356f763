package fields

import "strings"

// ParsePair reads a pair of an object of texts that is written as one text: a name, the separator, a value. The name
// ends at the first separator without a backslash in front of it. In the name a backslash stands before a separator or
// a backslash that belongs to it. The value is taken as it is. ok is false without a separator, and for another use of
// a backslash.
func ParsePair(text string, separator byte) (name, value string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case separator:
			return b.String(), text[i+1:], true
		case '\\':
			i++
			if i == len(text) || text[i] != separator && text[i] != '\\' {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}

// FormatPair writes what ParsePair reads.
func FormatPair(name, value string, separator byte) string {
	s := string(separator)
	return strings.NewReplacer(`\`, `\\`, s, `\`+s).Replace(name) + s + value
}
