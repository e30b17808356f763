package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
)

// TestPatternsInTags compares the patterns in struct tags, which cannot use a variable, with the rules.
func TestPatternsInTags(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[ListInput](), reflect.TypeFor[RedriveFilter]()} {
		for name, pattern := range map[string]*regexp.Regexp{"Type": jobs.TypePattern, "Queue": jobs.QueuePattern} {
			f, _ := typ.FieldByName(name)
			if got := f.Tag.Get("pattern"); got != pattern.String() {
				t.Errorf("%s.%s: %s", typ, name, got)
			}
		}
	}
}

func TestProblemTypesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sentinels {
		if s.kind.status == http.StatusOK || s.detail == "" {
			t.Errorf("%v: %+v", s.err, s.kind)
		}
		seen[s.kind.name] = true
	}
	for _, err := range []error{jobs.ErrNotFound, jobs.ErrConflict, jobs.ErrKeyReused, jobs.ErrKeyGone, jobs.ErrBusy,
		jobs.ErrRejected, jobs.ErrUnavailable, jobs.ErrOutcomeUnknown} {
		if p := problemOf(err, noPointer); p.cause == nil || len(seen) != 8 {
			t.Errorf("%v has no row in the table; %d kinds", err, len(seen))
		}
	}
}

// FuzzSubmission compares the reading of a body with encoding/json: what we take, it takes, and with the same meaning.
func FuzzSubmission(f *testing.F) {
	for _, seed := range []string{
		`{"type":"email","payload":{"a":[1,{"b":"\"]}"}]},"priority":-1,"max_attempts":3,"timeout_seconds":5,"queue":"q","delay_seconds":1}`,
		`{"type":"email","run_at":"2030-01-01T00:00:00Z"}`, `{"jobs":[{"type":"a"},{"type":"b","payload":{}}]}`, `[]`,
		`null`, `{"type":null}`, `{"\\":1,"type":"a"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, bulk := range []bool{false, true} {
			limits, read := canonjson.Limits{Envelope: 1}, readOne
			if bulk {
				limits.Envelope, read = 3, readBulk
			}
			r := httptest.NewRequest("POST", "/jobs", bytes.NewReader(raw))
			r.Header.Set("Content-Type", "application/json")
			out := &answer{ResponseWriter: httptest.NewRecorder(), r: r, held: hold{room: sharedRoom()}}
			doc, bad := readBody(&Request{r: r, w: out}, 1<<20, limits)
			out.held.release()
			if bad != nil || doc == nil {
				continue
			}
			var faults form
			list := read(&faults, doc)
			if faults.faults != nil {
				for _, fault := range faults.faults {
					if fault.Pointer == nil || fault.Detail == "" {
						t.Fatalf("%+v", fault)
					}
				}
				continue
			}
			want := []json.RawMessage{raw}
			if bulk {
				var body struct{ Jobs []json.RawMessage }
				if err := json.Unmarshal(raw, &body); err != nil {
					t.Fatalf("%q was taken: %v", raw, err)
				}
				want = body.Jobs
			}
			if len(list) != len(want) {
				t.Fatalf("%q: %d jobs, want %d", raw, len(list), len(want))
			}
			for i, n := range list {
				if n.Payload == nil {
					n.Payload = json.RawMessage(`{}`)
				}
				// The engine brings the payload into canonical form once more: that must change nothing.
				if again, err := canonjson.Canonical(n.Payload, canonjson.Limits{}); err != nil ||
					!bytes.Equal(again, n.Payload) {
					t.Fatalf("payload %q is canonical only as %q (%v)", n.Payload, again, err)
				}
				var s struct {
					Type     string
					Payload  map[string]any
					Priority int
				}
				if err := json.Unmarshal(want[i], &s); err != nil && !strings.Contains(err.Error(), "number") {
					t.Fatalf("%q was taken: %v", want[i], err)
				}
				if n.Type != s.Type || n.Priority != s.Priority || !json.Valid(n.Payload) || n.Payload[0] != '{' {
					t.Fatalf("%q became %+v", want[i], n)
				}
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	const id = "0192f000-1111-7222-8333-444444444444"
	good := encodeCursor(id, "filter")
	f.Add(good, "filter")
	f.Add(good, "other")
	f.Add("", "")
	f.Add(good+"=", "filter")
	f.Add(strings.Repeat("A", len(good)), "")
	f.Fuzz(func(t *testing.T, cursor, filter string) {
		got, err := decodeCursor(cursor, filter)
		if err == nil && encodeCursor(got, filter) != cursor {
			t.Fatalf("%q and %q are one cursor", cursor, encodeCursor(got, filter))
		}
		if cursor == good && filter != "filter" && err == nil {
			t.Fatal("the filter does not count")
		}
		if back, err := decodeCursor(encodeCursor(id, filter), filter); err != nil || back != id {
			t.Fatalf("%q, %v", back, err)
		}
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", "abc", `"abc"`, `"a\"b\\"`, `"abc`, `"`, "a b", "\x00", "ключ", "\xff\xfe",
		strings.Repeat("k", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, bad := idempotencyKey(http.Header{keyHeader: {value}})
		if (key == "") != (bad != nil) || bad != nil && bad.Status != 400 {
			t.Fatalf("%q: %q, %v", value, key, bad)
		}
		if bad != nil {
			return
		}
		if len(key) > fields.MaxKeyBytes ||
			strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q became %q", value, key)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, bad := idempotencyKey(http.Header{keyHeader: {quoted}}); bad != nil || again != key {
			t.Fatalf("%q quoted is %q", key, again)
		}
	})
}
