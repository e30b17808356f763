package canonjson

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unescaped maps the letter after a backslash to the character that it stands for.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped maps a character that has a short escape to the letter of that escape.
var escaped = [256]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

const hexDigits = "0123456789abcdef"

// escape reads an escape, which begins with a backslash, and writes the character in its canonical form.
func (c *canonicalizer) escape() bool {
	c.pos++
	if c.pos >= len(c.raw) {
		return c.syntax("the document ends within a string")
	}
	b := c.raw[c.pos]
	if plain := unescaped[b]; plain != 0 {
		c.pos++
		c.put(rune(plain))
		return true
	}
	if b != 'u' {
		return c.syntax("there is no such escape")
	}
	r, ok := c.hex4()
	if !ok {
		return c.syntax("\\u wants four hexadecimal digits")
	}
	if r == 0 {
		return c.invalid("holds the character NUL")
	}
	if utf16.IsSurrogate(r) {
		pair := utf8.RuneError
		if c.next('\\') && c.pos < len(c.raw) && c.raw[c.pos] == 'u' {
			low, ok := c.hex4()
			if !ok {
				return c.syntax("\\u wants four hexadecimal digits")
			}
			pair = utf16.DecodeRune(r, low)
		}
		if r = pair; r == utf8.RuneError {
			return c.invalid("holds half of a surrogate pair")
		}
	}
	c.put(r)
	return true
}

// hex4 reads a u and four hexadecimal digits.
func (c *canonicalizer) hex4() (rune, bool) {
	if len(c.raw)-c.pos < 5 {
		return 0, false
	}
	var r rune
	for _, b := range c.raw[c.pos+1 : c.pos+5] {
		if !('0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f') {
			return 0, false
		}
		r = r<<4 | rune(unhex(b))
	}
	c.pos += 5
	return r, true
}

func unhex(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return b&0xf + 9
}

// put writes a character of a string.
func (c *canonicalizer) put(r rune) {
	switch {
	case r < utf8.RuneSelf && escaped[r] != 0:
		c.out = append(c.out, '\\', escaped[r])
	case r < 0x20:
		c.out = append(c.out, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&0xf])
	default:
		c.out = utf8.AppendRune(c.out, r)
	}
}

// number reads a number and writes it as PostgreSQL's numeric would print it; with asIs, as it was written.
func (c *canonicalizer) number(asIs bool) bool {
	begin := c.pos
	negative := c.next('-')
	whole := c.digits()
	if len(whole) == 0 || len(whole) > 1 && whole[0] == '0' {
		c.pos -= max(len(whole)-1, 0)
		return c.syntax("this is not how JSON writes a number")
	}
	var fraction []byte
	if c.next('.') {
		if fraction = c.digits(); len(fraction) == 0 {
			return c.syntax("a digit is expected here")
		}
	}
	exponent, has := 0, false
	if c.pos < len(c.raw) && c.raw[c.pos]|0x20 == 'e' {
		has = true
		c.pos++
		minus := c.next('-')
		if !minus {
			c.next('+')
		}
		digits := c.digits()
		if len(digits) == 0 {
			return c.syntax("a digit is expected here")
		}
		for _, d := range digits {
			if exponent = exponent*10 + int(d-'0'); exponent > MaxExponent {
				return c.invalid("holds a number with an exponent beyond %d", MaxExponent)
			}
		}
		if minus {
			exponent = -exponent
		}
	}
	if len(whole)+exponent > maxIntegerDigits || len(fraction)-exponent > maxFractionDigits {
		return c.invalid("holds a number with too many digits")
	}
	if negative && zero(whole) && zero(fraction) {
		negative = false
	}
	if has && !asIs && !c.grow(max(len(whole)+exponent, 1)+max(len(fraction)-exponent, 0)-(c.pos-begin)) {
		return false
	}
	written := len(c.out)
	switch {
	case asIs:
		c.out = append(c.out, c.raw[begin:c.pos]...)
		return true
	case negative:
		c.out = append(c.out, '-')
	}
	if !has {
		c.out = append(c.out, whole...)
		if fraction != nil {
			c.out = append(append(c.out, '.'), fraction...)
		}
		return true
	}
	c.writeOut(whole, fraction, exponent)
	c.expanded += len(c.out) - written
	return true
}

// grow makes room for a number that takes so many bytes more than it did in the document. It is called before the
// number is written, so that a document that is refused takes little memory.
func (c *canonicalizer) grow(bytes int) bool {
	if c.grown += max(bytes, 0); c.grown > c.limits.Growth && c.limits.Growth > 0 {
		return c.invalid("makes the body more than %d bytes longer, because numbers are written out", c.limits.Growth)
	}
	if need := len(c.raw) + c.grown; need > cap(c.out) {
		// More than is needed now, so that few copies are made.
		c.out = append(make([]byte, 0, need+max(c.grown, len(c.raw)/4)), c.out...)
	}
	return true
}

// writeOut writes a number without its exponent: it moves the point. All digits of the fraction are kept.
func (c *canonicalizer) writeOut(whole, fraction []byte, exponent int) {
	point := len(whole) + exponent
	digit := func(i int) byte {
		switch {
		case i < 0 || i >= len(whole)+len(fraction):
			return '0'
		case i < len(whole):
			return whole[i]
		default:
			return fraction[i-len(whole)]
		}
	}
	first := 0
	for first < point-1 && digit(first) == '0' {
		first++
	}
	for i := min(first, point-1); i < point; i++ {
		c.out = append(c.out, digit(i))
	}
	if scale := len(fraction) - exponent; scale > 0 {
		c.out = append(c.out, '.')
		for i := point; i < point+scale; i++ {
			c.out = append(c.out, digit(i))
		}
	}
}

func zero(digits []byte) bool {
	for _, d := range digits {
		if d != '0' {
			return false
		}
	}
	return true
}

func (c *canonicalizer) digits() []byte {
	begin := c.pos
	for c.pos < len(c.raw) && '0' <= c.raw[c.pos] && c.raw[c.pos] <= '9' {
		c.pos++
	}
	return c.raw[begin:c.pos]
}

func (c *canonicalizer) literal(word string) bool {
	if end := c.pos + len(word); end > len(c.raw) || string(c.raw[c.pos:end]) != word {
		return c.syntax("a value is expected here")
	}
	c.pos += len(word)
	c.out = append(c.out, word...)
	return true
}

func (c *canonicalizer) space() {
	for c.pos < len(c.raw) {
		switch c.raw[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

// next reports whether b comes next, and reads it.
func (c *canonicalizer) next(b byte) bool {
	if c.pos < len(c.raw) && c.raw[c.pos] == b {
		c.pos++
		return true
	}
	return false
}

func (c *canonicalizer) fail(kind ErrorKind, detail string) bool {
	c.err = &Error{Kind: kind, Offset: c.pos, Detail: detail}
	return false
}

func (c *canonicalizer) syntax(detail string) bool { return c.fail(Syntax, detail) }

func (c *canonicalizer) invalid(format string, args ...any) bool {
	return c.fail(Invalid, fmt.Sprintf(format, args...))
}

// within adds a key or an index to the front of the error's pointer. A key that is not a plain name is not repeated:
// the pointer then ends before it.
func (c *canonicalizer) within(name string) bool {
	if !PlainName(name) {
		c.err.Pointer = ""
		return false
	}
	c.err.Pointer = "/" + name + c.err.Pointer
	return false
}

// PlainName reports whether a key may be repeated in an error: it is short, and has no markup and nothing to escape.
func PlainName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
	return name != "" && len(name) <= 64 && strings.Trim(name, letters) == ""
}
