package jobs

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// A type that reads more strictly than its schema says has to decode the payload to find out.
func TestPlain(t *testing.T) {
	type recursive struct{ Next *recursive }
	type hidden struct{ A int }
	for _, v := range []any{
		int32(0), uint(0), []byte(nil), [2]int{}, time.Time{}, json.Number(""), recursive{}, map[int]int{},
		&map[time.Time]int{},
		struct{ At *time.Time }{}, struct {
			N int `json:",string"`
		}{}, struct{ *hidden }{}, make(chan int),
	} {
		if typ := reflect.TypeOf(v); plain(typ, nil) {
			t.Errorf("%s counts as plain", typ)
		}
	}
}
