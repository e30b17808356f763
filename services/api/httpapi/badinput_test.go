package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1)
}

func email(fields string) string { return `{"type":"email",` + fields + `}` }

func payload(value string) string { return email(`"payload":` + value) }

// sized is a body whose payload has n bytes in canonical form.
func sized(n int) string { return payload(`{"x":"` + strings.Repeat("y", n-len(`{"x":""}`)) + `"}`) }

// TestBadBodies is the part of the table of bad input that is about the body of POST /jobs, with the table's numbers,
// and cases near to them.
func TestBadBodies(t *testing.T) {
	manyKeys := func() string {
		var b strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&b, `"%05d":1,`, i)
		}
		return "{" + b.String() + `"z":1}` // just below 1 MiB with the rest of the body
	}()
	soon := time.Now().Add(time.Hour)
	s := newSystem(t)
	for _, c := range []struct {
		name, body string
		status     int
		pointer    string // of the first fault, where there is one
	}{
		{"1 empty body", "", 400, ""},
		{"1 only spaces", " \n\t ", 400, ""},
		{"2 truncated", "{", 400, ""},
		{"2 trailing comma", `{"type":"a",}`, 400, ""},
		{"2 truncated in a string", `{"type":"ema`, 400, "/type"},
		{"4 null", "null", 422, ""},
		{"5 array", "[]", 422, ""},
		{"5 string", `"x"`, 422, ""},
		{"5 number", "5", 422, ""},
		{"5 true", "true", 422, ""},
		{"6 two documents", `{"type":"email"} {"type":"email"}`, 400, ""},
		{"6 trailing bracket", `{"type":"email"}]`, 400, ""},
		{"6 byte order mark", "\ufeff" + `{"type":"email"}`, 400, ""},
		{"6 comment", `{"type":"email"}/**/`, 400, ""},
		{"metadata of numbers", email(`"metadata":{"a":1}`), 422, "/metadata"},
		{"metadata of null", email(`"metadata":{"a":null}`), 422, "/metadata"},
		{"metadata in a list", email(`"metadata":["a"]`), 422, "/metadata"},
		{"metadata as a text", email(`"metadata":"a"`), 422, "/metadata"},
		{"metadata null", email(`"metadata":null`), 422, "/metadata"},
		{"metadata without a name", email(`"metadata":{"":"a"}`), 422, "/metadata"},
		{"metadata too large", email(`"metadata":{"a":"` + strings.Repeat("x", 1024) + `"}`), 422, "/metadata"},
		{"metadata with NUL", email(`"metadata":{"a":"\u0000"}`), 422, "/metadata/a"},
		{"9 invalid UTF-8", payload("{\"a\":\"\xff\"}"), 400, "/payload/a"},
		{"9 overlong UTF-8", payload("{\"a\":\"\xc0\xaf\"}"), 400, "/payload/a"},
		{"9 surrogate as UTF-8", payload("{\"a\":\"\xed\xa0\x80\"}"), 400, "/payload/a"},
		{"9 UTF-16", "\xff\xfe{\x00}\x00", 400, ""},
		{"9 invalid UTF-8 in the type", "{\"type\":\"\xff\"}", 400, "/type"},
		{"10 NUL in a value", payload(`{"a":"\u0000"}`), 422, "/payload/a"},
		{"10 raw NUL", payload("{\"a\":\"\x00\"}"), 400, "/payload/a"},
		{"11 NUL in a key", payload(`{"a\u0000":1}`), 422, "/payload"},
		{"12 lone surrogate", payload(`{"a":"\ud800"}`), 422, "/payload/a"},
		{"12 lone low surrogate", payload(`{"a":["\udfff"]}`), 422, "/payload/a/0"},
		{"12 lone surrogate in a key", payload(`{"\ud800":1}`), 422, "/payload"},
		{"14 duplicate key", `{"type":"email","type":"email"}`, 400, "/type"},
		{"14 duplicate key, escaped", `{"type":"email","\u0074ype":"email"}`, 400, "/type"},
		{"15 duplicate key inside the payload", payload(`{"a":{"b":1,"b":1}}`), 400, "/payload/a/b"},
		{"17 unknown field", email(`"foo":1`), 422, "/foo"},
		{"17 unknown field, other case", `{"TYPE":"email","type":"email"}`, 422, "/TYPE"},
		{"17 unknown field, hostile", email(`"<script>":1`), 422, ""},
		{"17 field of the answer", email(`"status":"completed"`), 422, "/status"},
		{"17 field that is empty", email(`"":1`), 422, ""},
		{"18 type missing", "{}", 422, "/type"},
		{"18 type empty", `{"type":""}`, 422, "/type"},
		{"18 type a number", `{"type":5}`, 422, "/type"},
		{"18 type null", `{"type":null}`, 422, "/type"},
		{"18 type an array", `{"type":["email"]}`, 422, "/type"},
		{"19 unknown type", `{"type":"nobody.serves-this"}`, 422, "/type"},
		{"20 type of 101 characters", `{"type":"` + strings.Repeat("a", 101) + `"}`, 422, "/type"},
		{"20 type with newline", `{"type":"email\n"}`, 422, "/type"},
		{"20 type with slash", `{"type":"a/b"}`, 422, "/type"},
		{"20 type with SQL", `{"type":"'; DROP TABLE jobs; --"}`, 422, "/type"},
		{"20 type with emoji", `{"type":"😀"}`, 422, "/type"},
		{"20 type in upper case", `{"type":"EMAIL"}`, 422, "/type"},
		{"20 type with a space", `{"type":" email"}`, 422, "/type"},
		{"22 payload null", payload("null"), 422, "/payload"},
		{"22 payload a number", payload("5"), 422, "/payload"},
		{"22 payload a string", payload(`"s"`), 422, "/payload"},
		{"22 payload true", payload("true"), 422, "/payload"},
		{"22 payload an array", payload("[1]"), 422, "/payload"},
		{"23 payload of depth 33", payload(nested(33)), 422, "/payload" + strings.Repeat("/a", 32)},
		{"24 depth 100,000", strings.Repeat("[", 100_000), 422, strings.Repeat("/0", 33)},
		{"24 depth 100,000 in the payload", payload(strings.Repeat("[", 100_000)), 422,
			"/payload" + strings.Repeat("/0", 32)},
		{"25 payload one byte too large", sized(jobs.MaxPayloadBytes + 1), 413, "/payload"},
		{"26 body of more than 1 MiB", sized(1 << 20), 413, ""},
		{"26 spaces beyond 1 MiB", email(`"payload":{}`) + strings.Repeat(" ", 1<<20), 413, ""},
		{"28 1e400", payload(`{"a":1e400}`), 422, "/payload/a"},
		{"28 1e400 in the envelope", email(`"priority":1e400`), 422, "/priority"},
		{"29 many huge numbers", payload(`{"a":[` + strings.Repeat("1e131071,", 999) + `1]}`), 422, "/payload/a/0"},
		{"29 many numbers of the largest exponent", payload(`{"a":[` + strings.Repeat("1e308,", 1000) + `1]}`), 422,
			"/payload/a/845"},
		{"30 1e131072", payload(`{"a":1e131072}`), 422, "/payload/a"},
		{"30 1e-20000", payload(`{"a":1e-20000}`), 422, "/payload/a"},
		{"30 20,000 digits behind the point", payload(`{"a":0.` + strings.Repeat("1", 20_000) + `}`), 422,
			"/payload/a"},
		{"31 NaN", payload(`{"a":NaN}`), 400, "/payload/a"},
		{"31 Infinity", payload(`{"a":Infinity}`), 400, "/payload/a"},
		{"31 -Infinity", payload(`{"a":-Infinity}`), 400, "/payload/a"},
		{"31 hexadecimal", payload(`{"a":0x1}`), 400, "/payload"},
		{"31 leading zero", payload(`{"a":01}`), 400, "/payload/a"},
		{"31 plus", payload(`{"a":+1}`), 400, "/payload/a"},
		{"31 no whole part", payload(`{"a":.5}`), 400, "/payload/a"},
		{"31 no fraction", payload(`{"a":1.}`), 400, "/payload/a"},
		{"31 single quotes", `{'type':'email'}`, 400, ""},
		{"32 100,000 keys", payload(manyKeys), 422, "/payload/09999"},
		{"32 1 MB key", payload(`{"` + strings.Repeat("k", 1_000_000) + `":1}`), 413, "/payload"},
		{"32 key of 257 bytes", payload(`{"` + strings.Repeat("k", 257) + `":1}`), 422, "/payload"},
		{"35 max_attempts 0", email(`"max_attempts":0`), 422, "/max_attempts"},
		{"35 max_attempts -1", email(`"max_attempts":-1`), 422, "/max_attempts"},
		{"35 max_attempts 101", email(`"max_attempts":101`), 422, "/max_attempts"},
		{"36 max_attempts 3.0", email(`"max_attempts":3.0`), 422, "/max_attempts"},
		{"36 max_attempts 1e1", email(`"max_attempts":1e1`), 422, "/max_attempts"},
		{"36 max_attempts a string", email(`"max_attempts":"3"`), 422, "/max_attempts"},
		{"36 max_attempts true", email(`"max_attempts":true`), 422, "/max_attempts"},
		{"37 max_attempts of 20 digits", email(`"max_attempts":99999999999999999999`), 422, "/max_attempts"},
		{"37 max_attempts 2^31", email(`"max_attempts":2147483648`), 422, "/max_attempts"},
		{"37 max_attempts 2^32+1", email(`"max_attempts":4294967297`), 422, "/max_attempts"},
		{"38 max_attempts null", email(`"max_attempts":null`), 422, "/max_attempts"},
		{"38 queue null", email(`"queue":null`), 422, "/queue"},
		{"38 run_at null", email(`"run_at":null`), 422, "/run_at"},
		{"38 everything null",
			`{"type":null,"payload":null,"queue":null,"priority":null,"max_attempts":null,"timeout_seconds":null,"run_at":null,"delay_seconds":null}`,
			422, "/type"},
		{"39 priority 11", email(`"priority":11`), 422, "/priority"},
		{"39 priority -11", email(`"priority":-11`), 422, "/priority"},
		{"39 priority a fraction", email(`"priority":1.5`), 422, "/priority"},
		{"39 timeout_seconds 0", email(`"timeout_seconds":0`), 422, "/timeout_seconds"},
		{"39 timeout_seconds -5", email(`"timeout_seconds":-5`), 422, "/timeout_seconds"},
		{"39 timeout_seconds 1e12", email(`"timeout_seconds":1e12`), 422, "/timeout_seconds"},
		{"39 timeout_seconds 1000000000000", email(`"timeout_seconds":1000000000000`), 422, "/timeout_seconds"},
		{"39 timeout_seconds 86401", email(`"timeout_seconds":86401`), 422, "/timeout_seconds"},
		{"40 run_at yesterday", email(`"run_at":"yesterday"`), 422, "/run_at"},
		{"40 run_at empty", email(`"run_at":""`), 422, "/run_at"},
		{"40 run_at a number", email(`"run_at":1893456000`), 422, "/run_at"},
		{"40 run_at without zone", email(`"run_at":"2030-01-01T00:00:00"`), 422, "/run_at"},
		{"40 run_at without time", email(`"run_at":"2030-01-01"`), 422, "/run_at"},
		{"40 run_at with a comma", email(`"run_at":"2030-01-01T00:00:00,5Z"`), 422, "/run_at"},
		{"40 run_at with a comma and a zone", email(`"run_at":"2030-01-01T00:00:00,5+01:00"`), 422, "/run_at"},
		{"40 run_at with one digit for the hour", email(`"run_at":"2030-01-01T5:00:00Z"`), 422, "/run_at"},
		{"40 run_at with one digit for the minute", email(`"run_at":"2030-01-01T05:0:00Z"`), 422, "/run_at"},
		{"40 run_at with an offset of 60 minutes", email(`"run_at":"2030-01-01T05:00:00+00:60"`), 422, "/run_at"},
		{"40 run_at with an offset of a day", email(`"run_at":"2030-01-01T05:00:00+24:59"`), 422, "/run_at"},
		{"40 run_at with an offset without colon", email(`"run_at":"2030-01-01T05:00:00+0100"`), 422, "/run_at"},
		{"40 run_at with a space", email(`"run_at":"2030-01-01 05:00:00Z"`), 422, "/run_at"},
		{"40 run_at with a space around", email(`"run_at":" 2030-01-01T05:00:00Z"`), 422, "/run_at"},
		{"40 run_at at 24:00", email(`"run_at":"2030-01-01T24:00:00Z"`), 422, "/run_at"},
		{"40 run_at with no digits behind the point", email(`"run_at":"2030-01-01T05:00:00.Z"`), 422, "/run_at"},
		{"40 run_at in Arabic digits", email(`"run_at":"٢٠٣٠-01-01T05:00:00Z"`), 422, "/run_at"},
		{"40 run_at zero", email(`"run_at":"0001-01-01T00:00:00Z"`), 422, "/run_at"},
		{"40 run_at on no day", email(`"run_at":"2027-02-30T00:00:00Z"`), 422, "/run_at"},
		{"40 run_at in year 10000", email(`"run_at":"10000-01-01T00:00:00Z"`), 422, "/run_at"},
		{"40 run_at in year 9999", email(`"run_at":"9999-12-31T23:59:59Z"`), 422, "/run_at"},
		{"40 run_at in 1900", email(`"run_at":"1900-01-01T00:00:00Z"`), 422, "/run_at"},
		{"40 run_at in year 0", email(`"run_at":"0000-01-01T00:00:00Z"`), 422, "/run_at"},
		{"40 run_at 367 days ahead", email(`"run_at":"` + soon.AddDate(0, 0, 367).Format(time.RFC3339) + `"`), 422,
			"/run_at"},
		{"40 run_at with delay_seconds", email(`"delay_seconds":1,"run_at":"` + soon.Format(time.RFC3339) + `"`), 422,
			"/delay_seconds"},
		{"40 run_at with delay_seconds 0", email(`"delay_seconds":0,"run_at":"` + soon.Format(time.RFC3339) + `"`), 422,
			"/delay_seconds"},
		{"41 delay negative", email(`"delay_seconds":-1`), 422, "/delay_seconds"},
		{"41 delay 366 d", email(`"delay_seconds":31622400`), 422, "/delay_seconds"},
		{"41 delay a string", email(`"delay_seconds":"60"`), 422, "/delay_seconds"},
		{"41 delay that overflows", email(`"delay_seconds":9223372036854775807`), 422, "/delay_seconds"},
		{"42 queue ../x", email(`"queue":"../x"`), 422, "/queue"},
		{"42 queue a:b", email(`"queue":"a:b"`), 422, "/queue"},
		{"42 queue {x}", email(`"queue":"{x}"`), 422, "/queue"},
		{"42 queue of 64 characters", email(`"queue":"` + strings.Repeat("q", 64) + `"`), 422, "/queue"},
		{"42 queue in upper case", email(`"queue":"Default"`), 422, "/queue"},
		{"42 queue empty", email(`"queue":""`), 422, "/queue"},
		{"42 queue with newline", email(`"queue":"default\n"`), 422, "/queue"},
		{"42 queue a number", email(`"queue":1`), 422, "/queue"},
		{"a known field of the wrong type", `{"type":"report","payload":{"rows":"many"}}`, 422, "/payload/rows"},
		{"a known field that is a fraction", `{"type":"report","payload":{"rows":1.5}}`, 422, "/payload/rows"},
		{"a known field out of range", `{"type":"report","payload":{"rate":0.50000000000000000001}}`, 422,
			"/payload/rate"},
		{"a known field that is too long", `{"type":"report","payload":{"title":"more than ten"}}`, 422,
			"/payload/title"},
		{"a known element of the wrong type", `{"type":"report","payload":{"tags":["a",1]}}`, 422, "/payload/tags/1"},
		{"a known field that is missing", `{"type":"report","payload":{"deep":{}}}`, 422, "/payload/deep/on"},
		{"several faults", `{"type":"email","queue":"A","priority":11}`, 422, "/queue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			before := s.rows()
			key := []string{"Idempotency-Key", strings.Map(onlyASCII, c.name)}
			begin := time.Now()
			r := s.post(c.body, key...)
			if took := time.Since(begin); took > time.Second {
				t.Errorf("took %s", took)
			}
			s.refused(r, c.status)
			if got := r.pointers(); c.pointer != "" && (len(got) == 0 || got[0] != c.pointer) {
				t.Errorf("pointers %.200q, want %q", got, c.pointer)
			}
			if n := s.rows(); n != before {
				t.Errorf("%d rows were stored", n-before)
			}
			if r := s.post(`{"type":"email"}`, key...); r.status != 201 {
				t.Errorf("the key was stored: %d", r.status)
			}
		})
	}
}

func onlyASCII(r rune) rune {
	if r <= ' ' || r > '~' {
		return '_'
	}
	return r
}

// What each job may be does not bound what a thousand of them may be together. A bulk of ordinary jobs is far from the
// bounds.
func TestBulkIsBoundedAsAWhole(t *testing.T) {
	bulk := func(payload string) string {
		item := `{"type":"email","payload":{` + payload + `}}`
		return `{"jobs":[` + strings.Repeat(item+",", 999) + item + `]}`
	}
	var ordinary strings.Builder
	for i := range 100 { // more would take the store longer than an answer may take, with the race detector
		fmt.Fprintf(&ordinary, `"name%d":"value %d",`, i, i)
	}
	s := newSystem(t)
	for _, c := range []struct {
		name, payload string
		pointer       string // of the fault, its beginning; "": none
	}{
		{"an ordinary bulk", ordinary.String() + `"n":1.5e-7`, ""},
		{"largest numbers of double precision", `"min":-1.7976931348623157e308,"max":1.7976931348623157e+308`, ""},
		{"numbers that are long when written out", `"x":[1` + strings.Repeat(",1e308", 80) + `]`, "/jobs/17"},
		{"numbers that are long behind the point", `"x":[1` + strings.Repeat(",1e-308", 80) + `]`, "/jobs/17"},
		{"many small values", `"x":[1` + strings.Repeat(",1", 1000) + `]`, "/jobs/49"},
	} {
		before := s.rows()
		r := s.do("POST", "/jobs/bulk", bulk(c.payload))
		if c.pointer == "" {
			if r.status != 201 || s.rows() != before+1000 {
				t.Errorf("%s: %d %.300s", c.name, r.status, r.body)
			}
			continue
		}
		s.refused(r, 422)
		if got := r.pointers(); s.rows() != before || len(got) != 1 || !strings.HasPrefix(got[0], c.pointer) {
			t.Errorf("%s: %v %.300s", c.name, got, r.body)
		}
	}
}
