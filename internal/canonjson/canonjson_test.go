package canonjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCanonical(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"Spaces":              {" {\t\"a\" :\r\n[ 1 , 2 ] } ", `{"a":[1,2]}`},
		"ShortKeysFirst":      {`{"aa":1,"b":2,"":3,"a":4}`, `{"":3,"a":4,"b":2,"aa":1}`},
		"KeysByBytes":         {`{"é":1,"zz":2,"ab":3}`, `{"ab":3,"zz":2,"é":1}`},
		"KeysByUnescapedForm": {`{"\n":1,"\u0061\t":2,"b":3,"\u0001":4}`, `{"\u0001":4,"\n":1,"b":3,"a\t":2}`},
		"NestedObjects": {`{"b":{"d":1,"c":{"z":0,"y":[{"n":1,"m":2}]}},"a":1}`,
			`{"a":1,"b":{"c":{"y":[{"m":2,"n":1}],"z":0},"d":1}}`},
		"Scalars":             {`[true,false,null,"",0]`, `[true,false,null,"",0]`},
		"Empty":               {`{"a":{},"b":[]}`, `{"a":{},"b":[]}`},
		"TopLevelScalar":      {` "x" `, `"x"`},
		"Escapes":             {`"\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC"`, `"\"\\/\b\f\n\r\tAé€"`},
		"Controls":            {`"\u0001\u001F\u007f\u2028"`, "\"\\u0001\\u001f\u007f\u2028\""},
		"SurrogatePair":       {`"\ud83d\ude00"`, `"😀"`},
		"MarkupStays":         {`"<script>&'"`, `"<script>&'"`},
		"Integer":             {`12345678901234567890`, `12345678901234567890`},
		"Fraction":            {`1.50`, `1.50`},
		"Exponent":            {`1e2`, `100`},
		"ExponentPlus":        {`1E+2`, `100`},
		"ExponentEatsScale":   {`1.0e1`, `10`},
		"ExponentLeavesScale": {`1.00e1`, `10.0`},
		"ExponentGrows":       {`1.5e5`, `150000`},
		"NegativeExponent":    {`1e-3`, `0.001`},
		"Shift":               {`123.45e-1`, `12.345`},
		"ShiftPastTheStart":   {`12e-3`, `0.012`},
		"LeadingZerosGo":      {`0.05e1`, `0.5`},
		"LeadingZerosGo2":     {`0.00123e5`, `123`},
		"NegativeZero":        {`-0`, `0`},
		"NegativeZeroScale":   {`-0.0`, `0.0`},
		"NegativeZeroExp":     {`-0e3`, `0`},
		"ZeroScaled":          {`0e-5`, `0.00000`},
		"Negative":            {`-1.5e1`, `-15`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Canonical([]byte(c.in), Limits{})
			if err != nil || string(got) != c.want {
				t.Fatalf("got %s, %v; want %s", got, err, c.want)
			}
			again, err := Canonical(got, Limits{})
			if err != nil || !bytes.Equal(again, got) {
				t.Fatalf("canonical form %s became %s, %v", got, again, err)
			}
		})
	}
}

func TestCanonicalRefuses(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, c := range map[string]struct {
		in      string
		kind    ErrorKind
		pointer string
	}{
		"Empty":               {``, Syntax, ""},
		"OnlySpace":           {" \n", Syntax, ""},
		"Truncated":           {`{`, Syntax, ""},
		"TruncatedKey":        {`{"a`, Syntax, ""},
		"TruncatedEscape":     {`"\`, Syntax, ""},
		"TruncatedUnicode":    {`"\u12`, Syntax, ""},
		"TruncatedPair":       {`"\ud83d\u12"`, Syntax, ""},
		"TrailingComma":       {`{"a":1,}`, Syntax, ""},
		"TrailingCommaArray":  {`[1,]`, Syntax, "/1"},
		"LeadingComma":        {`[,1]`, Syntax, "/0"},
		"NoComma":             {`[1 2]`, Syntax, ""},
		"NoColon":             {`{"a" 1}`, Syntax, ""},
		"BareKey":             {`{a:1}`, Syntax, ""},
		"SingleQuotes":        {`{'a':1}`, Syntax, ""},
		"TwoDocuments":        {`{} {}`, Syntax, ""},
		"TrailingBracket":     {`{}]`, Syntax, ""},
		"Comment":             {`{}//`, Syntax, ""},
		"ByteOrderMark":       {"\ufeff{}", Syntax, ""},
		"InvalidUTF8":         {"{\"a\":\"\xff\"}", Syntax, "/a"},
		"OverlongUTF8":        {"\"\xc0\x80\"", Syntax, ""},
		"EncodedSurrogate":    {"\"\xed\xa0\x80\"", Syntax, ""},
		"InvalidUTF8Key":      {"{\"\xff\":1}", Syntax, ""},
		"RawControl":          {"\"\n\"", Syntax, ""},
		"RawNUL":              {"\"\x00\"", Syntax, ""},
		"UnknownEscape":       {`"\x41"`, Syntax, ""},
		"BadHex":              {`"\u00g0"`, Syntax, ""},
		"DuplicateKey":        {`{"a":1,"b":2,"a":3}`, Syntax, "/a"},
		"DuplicateEscapedKey": {`{"a":1,"\u0061":3}`, Syntax, "/a"},
		"DuplicateInside":     {`{"x":[{"b":1,"a":1,"a":1}]}`, Syntax, "/x/0/a"},
		"NUL":                 {`{"a":["\u0000"]}`, Invalid, "/a/0"},
		"NULInKey":            {`{"a\u0000":1}`, Invalid, ""},
		"LoneHigh":            {`"\ud800"`, Invalid, ""},
		"LoneLow":             {`"\udc00"`, Invalid, ""},
		"HighThenText":        {`"\ud800x"`, Invalid, ""},
		"HighThenEscape":      {`"\ud800\n"`, Invalid, ""},
		"TwoHighs":            {`"\ud800\ud800"`, Invalid, ""},
		"NaN":                 {`NaN`, Syntax, ""},
		"Infinity":            {`-Infinity`, Syntax, ""},
		"Hex":                 {`0x1`, Syntax, ""},
		"LeadingZero":         {`01`, Syntax, ""},
		"NegativeLeadingZero": {`-01`, Syntax, ""},
		"Plus":                {`+1`, Syntax, ""},
		"NoWhole":             {`.5`, Syntax, ""},
		"NoFraction":          {`1.`, Syntax, ""},
		"NoExponent":          {`1e`, Syntax, ""},
		"Minus":               {`-`, Syntax, ""},
		"Truth":               {`True`, Syntax, ""},
		"TruthTooLong":        {`truee`, Syntax, ""},
		"HugeExponent":        {`1e400`, Invalid, ""},
		"HugerExponent":       {`1e99999999999999999999`, Invalid, ""},
		"TinyExponent":        {`1e-20000`, Invalid, ""},
		"ManyHugeNumbers":     {"[" + strings.Repeat("1e308,", 900) + "1]", Invalid, "/845"},
		"FractionTooLong":     {`0.` + strings.Repeat("1", 16_384), Invalid, ""},
		"WholeTooLong":        {strings.Repeat("1", 131_073), Invalid, ""},
		"Depth":               {nest(33), Invalid, strings.Repeat("/0", 32)},
		"DepthFarOff":         {strings.Repeat("[", 100_000), Invalid, strings.Repeat("/0", 32)},
		"DepthOfObjects":      {strings.Repeat(`{"a":`, 100_000), Invalid, strings.Repeat("/a", 32)},
		"Nodes":               {"[" + strings.Repeat("1,", 9_999) + "1]", Invalid, "/9999"},
		"LongKey":             {`{"` + strings.Repeat("k", 257) + `":1}`, Invalid, ""},
		"HugeKey":             {`{"` + strings.Repeat("k", 1_000_000) + `":1}`, TooLarge, ""},
		"TooLarge":            {`"` + strings.Repeat("x", DefaultBytes-1) + `"`, TooLarge, ""},
		"OddKeyNotRepeated":   {`{"a":{"<b>":{"c":"\u0000"}}}`, Invalid, "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Canonical([]byte(c.in), Limits{})
			var e *Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Pointer != c.pointer {
				t.Fatalf("got %.40s, %#v; want kind %d at %q", got, err, c.kind, c.pointer)
			}
			if e.Offset < 0 || e.Offset > len(c.in) || e.Detail == "" {
				t.Errorf("offset %d, detail %q", e.Offset, e.Detail)
			}
		})
	}
}

func TestCanonicalAllows(t *testing.T) {
	for name, in := range map[string]string{
		"Depth":    strings.Repeat("[", 32) + strings.Repeat("]", 32),
		"Nodes":    "[" + strings.Repeat("1,", 9_998) + "1]",
		"Key":      `{"` + strings.Repeat("k", 256) + `":1}`,
		"Size":     `"` + strings.Repeat("x", DefaultBytes-2) + `"`,
		"Exponent": `1e308`,
		"Fraction": `0.` + strings.Repeat("1", 16_383),
		"Whole":    strings.Repeat("1", 131_072),
	} {
		if _, err := Canonical([]byte(in), Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCanonicalEnvelope(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	one := Limits{Envelope: 1, Bytes: 100, Nodes: 20}
	for name, c := range map[string]struct {
		in      string
		limits  Limits
		kind    ErrorKind
		pointer string
	}{
		"DepthCountsFromTheValue": {`{"payload":` + deep(32) + `}`, Limits{Envelope: 1}, 0, ""},
		"DepthOfTheValueIsBounded": {`{"payload":` + deep(33) + `}`, Limits{Envelope: 1}, Invalid,
			"/payload" + strings.Repeat("/a", 32)},
		"DepthInBulk": {`{"jobs":[{"payload":` + deep(32) + `}]}`, Limits{Envelope: 3}, 0, ""},
		"EachValueHasItsOwnSize": {`{"a":"` + strings.Repeat("x", 98) + `","b":"` + strings.Repeat("x", 98) + `"}`,
			one, 0, ""},
		"TheSizeOfAValueIsBounded": {`{"a":"` + strings.Repeat("x", 99) + `"}`, one, TooLarge, "/a"},
		"EachValueHasItsOwnNodes": {`{"a":[` + strings.Repeat("1,", 18) + `1],"b":[` + strings.Repeat("1,", 18) +
			`1]}`, one, 0, ""},
		"TheMembersAreBounded":      {`[` + strings.Repeat("1,", 20) + `1]`, one, Invalid, "/19"},
		"AScalarNeedsNoEnvelope":    {`5`, one, 0, ""},
		"TheEnvelopeMayBeAnArray":   {`[{"a":1}]`, one, 0, ""},
		"NumbersAreCheckedAsBefore": {`{"a":1e400}`, one, Invalid, "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Canonical([]byte(c.in), c.limits)
			var e *Error
			if c.kind == 0 && err != nil ||
				c.kind != 0 && (!errors.As(err, &e) || e.Kind != c.kind || e.Pointer != c.pointer) {
				t.Fatalf("got %#v; want kind %d at %q", err, c.kind, c.pointer)
			}
		})
	}
	got, err := Canonical([]byte(`{"n":1e1,"m":-0,"p":{"n":1e1}}`), Limits{Envelope: 1})
	if want := `{"m":-0,"n":1e1,"p":{"n":10}}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// TestCanonicalEndsAtOnce reads documents that are made to be slow, within a time that is long for a linear pass.
func TestCanonicalEndsAtOnce(t *testing.T) {
	var backward, reversed strings.Builder
	for i := 9_000; i > 0; i-- {
		fmt.Fprintf(&backward, `"%05d":1,`, i)
	}
	for range 31 {
		reversed.WriteString(`{"zz":1,"b":`)
	}
	for name, in := range map[string]string{
		"Depth":        strings.Repeat("[", 100_000),
		"BackwardKeys": "{" + backward.String() + `"x":1}`,
		"NestedSorts": reversed.String() + `"` + strings.Repeat("x", DefaultBytes-1000) + `"` +
			strings.Repeat(`,"a":1}`, 31),
		"HugeNumbers": "[" + strings.Repeat("1e131071,", 1000) + "1]",
		"Digits":      strings.Repeat("9", 200_000) + "e1",
		"Exponent":    "1e" + strings.Repeat("0", 200_000),
	} {
		begin := time.Now()
		_, err := Canonical([]byte(in), Limits{})
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("%s took %s (%v)", name, took, err)
		}
	}
}

// FuzzCanonical compares Canonical with encoding/json: what we accept is JSON of the same meaning, canonical, and
// within the limits; what encoding/json refuses, we refuse.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"b":1,"aa":[1.50,-0,1e2,{"x":null}],"a":"é\ud83d\ude00\n\u001f"}`, `[1e-3,12345678901234567890]`,
		`{"a":1,"a":2}`, `"\ud800"`,
		`{"a\u0000":1}`, `01`, "\"\xff\"", `[[[[`, `1e400`, `{"\u0061":1,"b":{"\/":true}}`, ` [ ] x`,
	} {
		f.Add([]byte(seed), 0)
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, raw []byte, envelope int) {
		limits := Limits{Bytes: 4096, Nodes: 200, Envelope: min(max(envelope, 0), 3)}
		got, err := Canonical(raw, limits)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset > len(raw) || e.Kind == 0 {
				t.Fatalf("%#v", err)
			}
			return
		}
		if !json.Valid(raw) || !json.Valid(got) {
			t.Fatalf("accepted %q as %q", raw, got)
		}
		again, err := Canonical(got, limits)
		if err != nil || !bytes.Equal(got, again) {
			t.Fatalf("%q became %q, then %q, %v", raw, got, again, err)
		}
		if a, b := plainMeaning(t, raw), plainMeaning(t, got); a != b {
			t.Fatalf("%q means %s, but %q means %s", raw, a, got, b)
		}
	})
}

// plainMeaning is a document as encoding/json understands it, numbers as float64.
func plainMeaning(t *testing.T, raw []byte) string {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		if strings.Contains(err.Error(), "cannot unmarshal number") {
			return "" // too large for a float64
		}
		t.Fatalf("%q: %v", raw, err)
	}
	return strings.ReplaceAll(fmt.Sprintf("%v", v), "-0", "0")
}

func BenchmarkCanonical(b *testing.B) {
	for name, doc := range map[string]string{
		"Sorted": `{"to":"someone@example.com","body":"a few words of text that fill it up","subject":"hello","duration_ms":12}`,
		"Mixed":  `{"subject":"hello","to":"someone@example.com","duration_ms":12,"body":"a few words of text that fill it up"}`,
		"Large":  `{"data":"` + strings.Repeat("some text, ", 20_000) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			raw := []byte(doc)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Canonical(raw, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
