package httpapi

import (
	"crypto/sha256"
	"io"
	"net/http"
	"strings"

	"github.com/windlass-jobs/windlass/jobs"
)

// keyHeader makes a submission repeatable. The draft of the IETF's httpapi group has it as a quoted string; a bare word is as good.
const (
	keyHeader   = "Idempotency-Key"
	maxKeyBytes = 255
)

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
	if key == "" || len(key) > maxKeyBytes {
		return bad("must have 1 to 255 characters")
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return bad("must consist of visible ASCII characters")
		}
	}
	return key, nil
}

// unquote reads a string of RFC 8941: in it, a backslash stands before a quote or another backslash and nowhere else.
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

// keyOf binds a key to the request that it came with: the body in canonical form, so that the order of its fields does not count.
func keyOf(key, method, path string, canonical []byte) *jobs.Key {
	if key == "" {
		return nil
	}
	h := sha256.New()
	_, _ = io.WriteString(h, method+"|"+path+"|")
	_, _ = h.Write(canonical)
	k := &jobs.Key{Key: key}
	h.Sum(k.Fingerprint[:0])
	return k
}
