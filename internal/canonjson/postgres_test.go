package canonjson_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// TestCanonicalIsJSONB compares the canonical form with the database that it imitates: what goes into a jsonb column
// comes out of it byte for byte, except for the spaces between tokens. So a submission, its replay and a later read
// agree.
func TestCanonicalIsJSONB(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), servers.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))

	documents := []string{
		`{"b":1,"aa":2,"":3,"a":4,"é":5,"zz":6,"\n":7,"\u0061\t":8}`, `{"a":{"z":[{"y":1,"x":2}],"y":{}},"b":[]}`,
		`"\u0001\u001F\u007f\u2028\/\"\\"`,
		`"\ud83d\ude00 שלום \u200b\ufeff\uffff"`, `[true,false,null,"",0]`, `{"\u0001":1,"\b\f":2,"\"":3}`,
		`[1e2,1.50,1.0e1,1e-3,-0,-0.0,1.00e1,1.5e5,12345678901234567890,0e5,0e-5,0.00e1,-1.5e1,1E+2,123.45e-1,12e-3,0.05e1,0.00123e5,1e308,1e-308,1.10e-5,100e-1,0.10e-0]`,
		`[` + strings.Repeat("9", 131_072) + `,0.` + strings.Repeat("1", 16_383) + `]`, `1.` +
			strings.Repeat("0", 16_000) + `1e-300`,
		`{"` + strings.Repeat("k", 256) + `":"` + strings.Repeat("x", 200_000) + `"}`,
		strings.Repeat(`[`, 32) + strings.Repeat(`]`, 32),
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 3_000 {
		var b strings.Builder
		randomJSON(&b, rnd, 0)
		documents = append(documents, b.String())
	}

	var ours, theirs []string
	for _, doc := range documents {
		got, err := canonjson.Canonical([]byte(doc), canonjson.Limits{Bytes: 1 << 20})
		var e *canonjson.Error
		if errors.As(err, &e) && e.Detail == "a key occurs twice" {
			continue // random keys repeat now and then
		}
		if err != nil {
			t.Fatalf("%.200s: %v", doc, err)
		}
		ours, theirs = append(ours, string(got)), append(theirs, doc)
	}
	rows, err := conn.Query(t.Context(),
		`SELECT j::jsonb::text FROM unnest($1::text[]) WITH ORDINALITY AS d(j, i) ORDER BY i`, theirs)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) != len(ours) {
		t.Fatalf("%d documents came back of %d", len(stored), len(ours))
	}
	for i := range stored {
		if want := withoutSpaces(stored[i]); ours[i] != want {
			t.Errorf("%.300s\n  canonical %.300s\n  jsonb     %.300s", theirs[i], ours[i], want)
		}
	}
}

// withoutSpaces removes the spaces that jsonb writes after commas and colons.
func withoutSpaces(doc string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(doc); i++ {
		switch {
		case quoted && doc[i] == '\\':
			b.WriteByte(doc[i])
			i++
		case doc[i] == '"':
			quoted = !quoted
		case doc[i] == ' ' && !quoted:
			continue
		}
		b.WriteByte(doc[i])
	}
	return b.String()
}

func randomJSON(b *strings.Builder, rnd *rand.Rand, depth int) {
	kind := rnd.IntN(9)
	if depth > 5 {
		kind = rnd.IntN(5)
	}
	space := func() { b.WriteString([]string{"", "", " ", "\n\t"}[rnd.IntN(4)]) }
	space()
	defer space()
	switch kind {
	case 0, 1:
		randomText(b, rnd, 12)
	case 2, 3:
		randomNumber(b, rnd)
	case 4:
		b.WriteString([]string{"true", "false", "null"}[rnd.IntN(3)])
	case 5, 6:
		b.WriteByte('[')
		for i := range rnd.IntN(5) {
			if i > 0 {
				b.WriteByte(',')
			}
			randomJSON(b, rnd, depth+1)
		}
		b.WriteByte(']')
	default:
		b.WriteByte('{')
		for i := range rnd.IntN(7) {
			if i > 0 {
				b.WriteByte(',')
			}
			space()
			randomText(b, rnd, 5)
			space()
			b.WriteByte(':')
			randomJSON(b, rnd, depth+1)
		}
		b.WriteByte('}')
	}
}

func randomText(b *strings.Builder, rnd *rand.Rand, most int) {
	b.WriteByte('"')
	for range rnd.IntN(most + 1) {
		switch rnd.IntN(8) {
		case 0:
			b.WriteString([]string{`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`}[rnd.IntN(8)])
		case 1:
			fmt.Fprintf(b, `\u%04X`, 1+rnd.IntN(0x7ff))
		case 2:
			fmt.Fprintf(b, `\ud8%02x\udc%02x`, rnd.IntN(256), rnd.IntN(256))
		case 3:
			if r := rune(0x80 + rnd.IntN(unicode.MaxRune-0x80)); r < 0xd800 || r > 0xdfff {
				b.WriteRune(r)
			}
		default:
			b.WriteByte("abcdefgh <>&'{}[]:,"[rnd.IntN(19)])
		}
	}
	b.WriteByte('"')
}

func randomNumber(b *strings.Builder, rnd *rand.Rand) {
	digits := func(n int) {
		for range n {
			b.WriteByte('0' + byte(rnd.IntN(10)*rnd.IntN(2)))
		}
	}
	if rnd.IntN(3) == 0 {
		b.WriteByte('-')
	}
	if rnd.IntN(3) == 0 {
		b.WriteByte('0')
	} else {
		b.WriteByte('1' + byte(rnd.IntN(9)))
		digits(rnd.IntN(25))
	}
	if rnd.IntN(2) == 0 {
		b.WriteByte('.')
		digits(1 + rnd.IntN(20))
	}
	if rnd.IntN(2) == 0 {
		b.WriteString([]string{"e", "E", "e+", "e-", "E-"}[rnd.IntN(5)])
		if rnd.IntN(20) == 0 {
			fmt.Fprint(b, rnd.IntN(309))
		} else {
			fmt.Fprintf(b, "%0*d", 1+rnd.IntN(3), rnd.IntN(30))
		}
	}
}
