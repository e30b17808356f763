package httpapi

import (
	"net/http"
	"strings"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
)

// keyHeader makes a submission repeatable. In the draft of the IETF's httpapi group its value is a quoted string. We
// take a bare word as well.
const keyHeader = "Idempotency-Key"

// idempotencyKey reads the header. It returns "" where there is none.
func idempotencyKey(header http.Header) (string, *Problem) {
	values, ok := header[keyHeader]
	if !ok {
		return "", nil
	}
	bad := func(detail string) (string, *Problem) {
		return "", invalidKey.problem("Nothing was stored.", Fault{Detail: detail, Parameter: keyHeader})
	}
	if len(values) != 1 {
		return bad("must occur once")
	}
	key := values[0]
	if strings.HasPrefix(key, `"`) {
		if key, ok = unquote(key); !ok {
			return bad("begins with a quote, but is no quoted string")
		}
	}
	if detail := fields.CheckKey(key); detail != "" {
		return bad(detail)
	}
	return key, nil
}

// unquote reads a string of RFC 8941: a backslash comes before a quote or another backslash only.
func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i == len(s)-1
		case '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}

// keyOf binds a key to the jobs of its request and to the path: the same key at another path is another request.
func keyOf(key, path string, list []jobs.New) *jobs.Key {
	if key == "" {
		return nil
	}
	sum := fields.NewFingerprint(path)
	for i := range list {
		sum.Add(&list[i])
	}
	return &jobs.Key{Key: key, Fingerprint: sum.Sum()}
}
