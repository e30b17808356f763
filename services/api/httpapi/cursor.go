package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
)

// A cursor says where a list goes on, in base64url: a version, the 16 bytes of an id, and a checksum over them and
// the list's filter. The checksum finds mistakes, such as a cursor of another list. It needs no secret, because a
// cursor shows nothing that the list would not show without it.
const (
	cursorVersion  = 1
	cursorIDBytes  = 16
	cursorSumBytes = 8
	cursorBytes    = 1 + cursorIDBytes + cursorSumBytes
)

// cursorEncoding is strict: unused bits must be zero, so that each cursor has one spelling.
var cursorEncoding = base64.RawURLEncoding.Strict()

var errCursor = errors.New("is not a cursor of this list: take it from next_cursor, and keep the filter")

// encodeCursor makes the cursor of a list that goes on after id. filter tells lists apart.
func encodeCursor(id, filter string) string {
	var raw [cursorBytes]byte
	raw[0] = cursorVersion
	if !parseID(raw[1:1+cursorIDBytes], id) {
		return "" // not one of our ids: end the list, for decodeCursor would refuse the cursor
	}
	sum := cursorSum(raw[:1+cursorIDBytes], filter)
	copy(raw[1+cursorIDBytes:], sum[:])
	return cursorEncoding.EncodeToString(raw[:])
}

// decodeCursor returns the id in a cursor of the list with this filter.
func decodeCursor(cursor, filter string) (string, error) {
	var raw [cursorBytes]byte
	if len(cursor) != cursorEncoding.EncodedLen(cursorBytes) {
		return "", errCursor
	}
	n, err := cursorEncoding.Decode(raw[:], []byte(cursor))
	if err != nil || n != cursorBytes || raw[0] != cursorVersion {
		return "", errCursor
	}
	if cursorSum(raw[:1+cursorIDBytes], filter) != [cursorSumBytes]byte(raw[1+cursorIDBytes:]) {
		return "", errCursor
	}
	return formatID(raw[1 : 1+cursorIDBytes]), nil
}

func cursorSum(head []byte, filter string) (sum [cursorSumBytes]byte) {
	h := sha256.New()
	_, _ = h.Write(head)
	_, _ = io.WriteString(h, filter)
	copy(sum[:], h.Sum(nil))
	return sum
}

// dash reports whether a UUID has a dash at i.
func dash(i int) bool { return i == 8 || i == 13 || i == 18 || i == 23 }

// parseID reads a UUID into 16 bytes. It takes the usual form only.
func parseID(into []byte, id string) bool {
	if len(id) != 36 {
		return false
	}
	var digits [32]byte
	n := 0
	for i := range len(id) {
		if dash(i) {
			if id[i] != '-' {
				return false
			}
			continue
		}
		digits[n] = id[i]
		n++
	}
	_, err := hex.Decode(into, digits[:])
	return err == nil
}

// formatID is the usual form of a UUID, in lower case.
func formatID(raw []byte) string {
	digits := hex.EncodeToString(raw)
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
