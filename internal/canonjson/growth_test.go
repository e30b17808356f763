package canonjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Room for a document is taken by what Growth says, so it must never say too little.
func TestGrowth_IsNeverTooLittle(t *testing.T) {
	for raw, most := range map[string]int{
		`{"a":1,"e":true,"f":[false,null,1.5]}`: 0, `"1e308 \" 1e308 \\"`: 0, `["\\",1e3]`: 3, `[1e308,1E308]`: 616,
		`-1e-308`: 308, `1e+2`: 2, `{"1e5":"1e5"}`: 0, `"`: 0, `"\`: 0, `1e`: 0, `1e99999999999999999999`: MaxExponent,
	} {
		if got := Growth([]byte(raw)); got != most {
			t.Errorf("%s: %d, want %d", raw, got, most)
		}
	}
	for range 20_000 {
		var b bytes.Buffer
		digits := func(n int) {
			for range n {
				b.WriteByte(byte('0' + rand.IntN(10)))
			}
		}
		b.WriteString([]string{"", "-"}[rand.IntN(2)] + []string{"0", "1", "12", "907"}[rand.IntN(4)])
		if rand.IntN(2) == 0 {
			b.WriteByte('.')
			digits(1 + rand.IntN(5))
		}
		fmt.Fprintf(&b, "%s%s%d", []string{"e", "E"}[rand.IntN(2)], []string{"", "+", "-"}[rand.IntN(3)], rand.IntN(309))
		canonical, err := Canonical(b.Bytes(), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", &b, err)
		}
		if got, want := Growth(b.Bytes()), len(canonical)-b.Len(); got < want {
			t.Fatalf("%s: %d, but it grows by %d", &b, got, want)
		}
	}
}

// What each value may be does not bound what a thousand of them may be together.
func TestCanonical_BoundsTheWholeDocument(t *testing.T) {
	list := func(item string, n int) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	for _, c := range []struct {
		name, raw string
		limits    Limits
		pointer   string // of the fault; "-": none
	}{
		{"as many values as are allowed", list("1", 99), Limits{Values: 100}, "-"},
		{"one value more", list("1", 100), Limits{Values: 100}, "/99"},
		{"values of an envelope count", list(`{"a":[1,2]}`, 24), Limits{Values: 100, Envelope: 2}, "-"},
		{"one too many in an envelope", list(`{"a":[1,2]}`, 25), Limits{Values: 100, Envelope: 2}, "/24/a/1"},
		{"numbers that grow as far as is allowed", list("1e300", 4), Limits{Growth: 4 * 296}, "-"},
		{"numbers that grow further", list("1e300", 4), Limits{Growth: 4*296 - 1}, "/3"},
		{"numbers that grow in an envelope", list(`{"a":1e300}`, 4), Limits{Growth: 3 * 296, Envelope: 1}, "/3/a"},
		{"numbers without an exponent", list(strings.Repeat("1", 300), 100), Limits{Growth: 1}, "-"},
		{"numbers that get shorter", list("1.000e1", 100), Limits{Growth: 1}, "-"},
	} {
		got, err := Canonical([]byte(c.raw), c.limits)
		var fault *Error
		switch {
		case c.pointer == "-":
			if err != nil || !json.Valid(got) {
				t.Errorf("%s: %v", c.name, err)
			}
		case !errors.As(err, &fault) || fault.Kind != Invalid || fault.Pointer != c.pointer:
			t.Errorf("%s: %+v, want a fault at %s", c.name, err, c.pointer)
		}
	}
}

// A document that is refused for its growth has not taken the memory first.
func TestCanonical_TakesNoMemoryForWhatItRefuses(t *testing.T) {
	raw := []byte("[" + strings.Repeat("1e308,", 9_000) + "1]")
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Canonical(raw, Limits{Growth: 10_000}); err == nil {
				b.Fatal("taken")
			}
		}
	})
	if n := r.AllocedBytesPerOp(); n > int64(3*len(raw)) {
		t.Errorf("%d bytes for a document of %d", n, len(raw))
	}
}
