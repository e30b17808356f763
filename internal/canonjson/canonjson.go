// Package canonjson brings JSON into a canonical form: the one that PostgreSQL's jsonb gives back, without its spaces.
//
// Both stores keep this form, so a submission, its replay and a later read agree byte by byte. Fingerprints of
// requests are made from it as well. Documents that two readers could understand differently are refused.
package canonjson

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"
)

// Limits of a JSON value. All are inclusive.
const (
	DefaultBytes = 256 << 10 // of the canonical form
	MaxDepth     = 32        // objects and arrays within one another
	MaxNodes     = 10_000    // values, those of objects and arrays included
	MaxKeyBytes  = 256       // of a key, unescaped
	MaxExponent  = 308       // of a number, either way: 1e308 is written out with 309 digits

	maxIntegerDigits  = 131_072 // what PostgreSQL's numeric can hold
	maxFractionDigits = 16_383
)

// Limits bounds a document. The zero value of a field stands for its default.
type Limits struct {
	Bytes int // of the canonical form; default DefaultBytes
	Depth int // default MaxDepth; an object that holds only scalars has depth 1
	Nodes int // default MaxNodes

	// Envelope is how many levels of objects and arrays lie around the values that the limits are about: 0 where the
	// document itself is the value, 1 where it is an object whose members are each a value with the full limits. The
	// envelope is not bounded by Bytes, and its own values and members together count as the nodes of one value.
	// Numbers at its innermost level keep their spelling, so that a field for whole numbers can refuse 1e1.
	Envelope int

	// Values is how many values the whole document may have, those of the envelope included. Default: no limit.
	Values int

	// Growth is how many bytes longer the document may get because numbers with an exponent are written out: 1e308 is
	// 309 digits. It is the sum over the whole document; function Growth tells it before. Default: no limit but Bytes.
	Growth int
}

// ErrorKind says in which way a document is wrong.
type ErrorKind int

// The kinds of an Error.
const (
	Syntax   ErrorKind = iota + 1 // it is not JSON, not UTF-8, or ambiguous because a key occurs twice
	Invalid                       // it is JSON, but holds what cannot be stored
	TooLarge                      // its canonical form is larger than allowed
)

// Error says why a document was refused. It is about the first fault in the order of reading.
type Error struct {
	Kind    ErrorKind
	Offset  int    // in bytes, where the fault was seen
	Pointer string // JSON Pointer (RFC 6901) to the value at fault, or to the nearest one around it with plain keys
	Detail  string // a sentence for people, without any part of the document
}

// Error names the place and the fault.
func (e *Error) Error() string { return fmt.Sprintf("JSON at byte %d: %s", e.Offset, e.Detail) }

// Canonical checks a JSON document strictly, in one pass, and returns its canonical form, or an *Error. Equal
// documents have equal canonical forms. It is the form that PostgreSQL's jsonb gives back, without the spaces: object
// keys sorted by length and then by bytes; strings as raw UTF-8 with only the escapes that JSON demands; numbers
// without exponent, with all their digits, and 0 instead of -0.
//
// It refuses duplicate keys, invalid UTF-8, NUL, lone surrogates, numbers with an exponent beyond MaxExponent, and
// what exceeds the limits. The work is linear in the document's size, except for sorting keys that are not in order.
func Canonical(raw []byte, limits Limits) (json.RawMessage, error) {
	c := canonicalizers.Get().(*canonicalizer)
	defer c.release()
	c.raw, c.limits = raw, limits
	c.limits.Bytes = cmp.Or(max(limits.Bytes, 0), DefaultBytes)
	c.limits.Depth = cmp.Or(max(limits.Depth, 0), MaxDepth)
	c.limits.Nodes = cmp.Or(max(limits.Nodes, 0), MaxNodes)
	c.out = make([]byte, 0, len(raw))
	c.space()
	if !c.value(0) {
		return nil, c.err
	}
	c.space()
	if c.pos < len(raw) {
		c.syntax("more follows after the end of the document")
		return nil, c.err
	}
	return c.out, nil
}

// canonicalizers keep scratch space for the next document.
var canonicalizers = sync.Pool{New: func() any { return &canonicalizer{} }}

// release keeps the scratch space, unless it is unusually large, and nothing else.
func (c *canonicalizer) release() {
	if cap(c.keys) <= 4<<10 && cap(c.scratch) <= 4<<10 && cap(c.members) <= 256 {
		*c = canonicalizer{keys: c.keys[:0], members: c.members[:0], scratch: c.scratch[:0]}
		canonicalizers.Put(c)
	}
}

// canonicalizer reads raw and writes out. Its methods return false when they have set err.
type canonicalizer struct {
	raw    []byte
	pos    int
	out    []byte
	limits Limits

	start    int // of the present value in out; the limits count from here
	nodes    int // of the present value
	expanded int // bytes of the present value's numbers that came with an exponent
	around   int // nodes of the envelope
	values   int // of the document
	grown    int // bytes that numbers with an exponent add to the document

	keys    []byte       // of all open objects, unescaped
	members []jsonMember // of all open objects
	scratch []byte

	err *Error
}

// jsonMember is a member of an open object.
type jsonMember struct {
	key, keyEnd int // in keys
	out, outEnd int // in out, key included
	at          int // in raw
}

// value reads a value. level is the number of objects and arrays around it.
func (c *canonicalizer) value(level int) bool {
	if c.values++; c.values > c.limits.Values && c.limits.Values > 0 {
		return c.invalid("is one value more than the %d that a body may have", c.limits.Values)
	}
	if level == c.limits.Envelope {
		c.start, c.nodes, c.expanded = len(c.out), 0, 0
	}
	if level >= c.limits.Envelope {
		if c.nodes++; c.nodes > c.limits.Nodes {
			return c.invalid("has more than %d values", c.limits.Nodes)
		}
	}
	if level <= c.limits.Envelope && c.limits.Envelope > 0 {
		if c.around++; c.around > c.limits.Nodes {
			return c.invalid("has more than %d values", c.limits.Nodes)
		}
	}
	if c.pos >= len(c.raw) {
		return c.syntax("the document ends too early")
	}
	ok := false
	switch b := c.raw[c.pos]; {
	case b == '{' || b == '[':
		if level-c.limits.Envelope >= c.limits.Depth {
			return c.invalid("is nested deeper than %d levels", c.limits.Depth)
		}
		if b == '{' {
			ok = c.object(level)
		} else {
			ok = c.array(level)
		}
	case b == '"':
		_, ok = c.text(false)
	case b == '-' || '0' <= b && b <= '9':
		ok = c.number(level == c.limits.Envelope && level > 0)
	case b == 't':
		ok = c.literal("true")
	case b == 'f':
		ok = c.literal("false")
	case b == 'n':
		ok = c.literal("null")
	default:
		return c.syntax("a value is expected here")
	}
	return ok && (level < c.limits.Envelope || c.fits())
}

// fits reports whether the present value is within its limit of bytes. Where only numbers with an exponent make it too
// large, the fault is invalid and not too large, because what was sent is small.
func (c *canonicalizer) fits() bool {
	size := len(c.out) - c.start
	switch {
	case size <= c.limits.Bytes:
		return true
	case size-c.expanded <= c.limits.Bytes:
		return c.invalid("holds numbers that are too long when written out")
	default:
		return c.fail(TooLarge, fmt.Sprintf("is larger than %d bytes", c.limits.Bytes))
	}
}

func (c *canonicalizer) object(level int) bool {
	begin, keys, first := len(c.out), len(c.keys), len(c.members)
	c.pos++
	c.out = append(c.out, '{')
	sorted := true
	for c.space(); !c.next('}'); c.space() {
		if len(c.members) > first {
			if !c.next(',') {
				return c.syntax("a comma or the end of the object is expected here")
			}
			c.out = append(c.out, ',')
			c.space()
		}
		if c.pos >= len(c.raw) || c.raw[c.pos] != '"' {
			return c.syntax("a key is expected here")
		}
		m := jsonMember{key: len(c.keys), out: len(c.out), at: c.pos}
		key, ok := c.text(true)
		if !ok {
			return false
		}
		c.keys = append(c.keys, key...)
		m.keyEnd = len(c.keys)
		if c.space(); !c.next(':') {
			return c.syntax("a colon is expected here")
		}
		c.out = append(c.out, ':')
		c.space()
		if !c.value(level + 1) {
			return c.within(string(c.keys[m.key:m.keyEnd]))
		}
		m.outEnd = len(c.out)
		if len(c.members) > first && c.compare(c.members[len(c.members)-1], m) >= 0 {
			sorted = false
		}
		c.members = append(c.members, m)
	}
	c.out = append(c.out, '}')
	if !sorted && !c.sort(c.members[first:], begin+1) {
		return false
	}
	c.keys, c.members = c.keys[:keys], c.members[:first]
	return true
}

// sort puts the members of an object into canonical order. They begin in out at from.
func (c *canonicalizer) sort(members []jsonMember, from int) bool {
	slices.SortFunc(members, c.compare)
	c.scratch = c.scratch[:0]
	for i, m := range members {
		if i > 0 {
			if c.compare(members[i-1], m) == 0 {
				c.pos = max(m.at, members[i-1].at)
				c.syntax("a key occurs twice")
				return c.within(string(c.keys[m.key:m.keyEnd]))
			}
			c.scratch = append(c.scratch, ',')
		}
		c.scratch = append(c.scratch, c.out[m.out:m.outEnd]...)
	}
	copy(c.out[from:], c.scratch)
	return true
}

// compare orders keys as jsonb does: by length, then by bytes.
func (c *canonicalizer) compare(a, b jsonMember) int {
	if d := (a.keyEnd - a.key) - (b.keyEnd - b.key); d != 0 {
		return d
	}
	return bytes.Compare(c.keys[a.key:a.keyEnd], c.keys[b.key:b.keyEnd])
}

func (c *canonicalizer) array(level int) bool {
	c.pos++
	c.out = append(c.out, '[')
	i := 0
	for c.space(); !c.next(']'); c.space() {
		if i > 0 {
			if !c.next(',') {
				return c.syntax("a comma or the end of the array is expected here")
			}
			c.out = append(c.out, ',')
			c.space()
		}
		if !c.value(level + 1) {
			return c.within(fmt.Sprint(i))
		}
		i++
	}
	c.out = append(c.out, ']')
	return true
}

// plain marks the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for b := 0x20; b < utf8.RuneSelf; b++ {
		t[b] = b != '"' && b != '\\'
	}
	return t
}()

// text reads a string. For a key it also returns the text without escapes, which is valid until out or scratch are
// written again.
func (c *canonicalizer) text(key bool) ([]byte, bool) {
	begin := len(c.out)
	c.pos++
	c.out = append(c.out, '"')
	run, escapes := c.pos, false
	for {
		for c.pos < len(c.raw) && plain[c.raw[c.pos]] {
			c.pos++
		}
		if c.pos >= len(c.raw) {
			return nil, c.syntax("the document ends within a string")
		}
		switch b := c.raw[c.pos]; {
		case b >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(c.raw[c.pos:])
			if r == utf8.RuneError && size == 1 {
				return nil, c.syntax("a string is not valid UTF-8")
			}
			c.pos += size
		case b == '\\':
			c.out = append(c.out, c.raw[run:c.pos]...)
			if !c.escape() {
				return nil, false
			}
			run, escapes = c.pos, true
		case b == '"':
			c.out = append(c.out, c.raw[run:c.pos]...)
			c.pos++
			c.out = append(c.out, '"')
			if !key {
				return nil, true // value checks the size
			}
			return c.key(c.out[begin+1:len(c.out)-1], escapes)
		default:
			return nil, c.syntax("a control character in a string has to be escaped")
		}
	}
}

// key checks the length of a key and returns it without its escapes, which are in canonical form.
func (c *canonicalizer) key(written []byte, escapes bool) ([]byte, bool) {
	if escapes && bytes.IndexByte(written, '\\') >= 0 {
		c.scratch = c.scratch[:0]
		for i := 0; i < len(written); i++ {
			b := written[i]
			if b == '\\' {
				i++
				if b = written[i]; b == 'u' {
					b = unhex(written[i+3])<<4 | unhex(written[i+4])
					i += 4
				} else {
					b = unescaped[b]
				}
			}
			c.scratch = append(c.scratch, b)
		}
		written = c.scratch
	}
	if len(written) > c.limits.Bytes {
		return nil, c.fail(TooLarge, fmt.Sprintf("has a key that is larger than %d bytes", c.limits.Bytes))
	}
	if len(written) > MaxKeyBytes {
		return nil, c.invalid("has a key that is longer than %d bytes", MaxKeyBytes)
	}
	return written, true
}
