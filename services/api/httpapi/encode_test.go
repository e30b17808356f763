package httpapi

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// TestJobsAreWrittenByTheirTags holds the way in which jobs are written against encoding/json and the tags, which the documentation is made from.
func TestJobsAreWrittenByTheirTags(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var detail JobDetail
		fill(r, reflect.ValueOf(&detail).Elem())
		list := []Job{detail.Job, detail.Job}
		for _, c := range []struct{ fast, tagged any }{
			{&detail.Job, detail.Job}, {detail.Job, detail.Job}, {detail, detail}, {jobList(list), map[string]any{"jobs": list}},
		} {
			var got, want bytes.Buffer
			if err := writeJSON(&got, c.fast); err != nil {
				t.Fatal(err)
			}
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(c.tagged); err != nil {
				t.Fatal(err)
			}
			if got.String() != want.String() {
				t.Fatalf("%T\n%s, by its tags\n%s", c.fast, &got, &want)
			}
		}
	}
}

// fill puts something into each field, and now and then nothing.
func fill(r *rand.Rand, v reflect.Value) {
	texts := []string{"", "plain", `"quoted" \ back`, "<script>&", "é\u2028\u2029", "\x00\x1f\x7f", "\xff"}
	raws := []string{`{}`, `{"a":[1.00,"<é\u001f"]}`, `null`, `12345678901234567890`}
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMicro(r.Int64N(4e15)).UTC().Truncate([]time.Duration{time.Microsecond, time.Second}[r.IntN(2)])))
		return
	case object, anything:
		v.SetBytes([]byte(raws[r.IntN(len(raws))]))
		if r.IntN(4) == 0 {
			v.SetZero()
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64N(2000) - 1000)
	case reflect.Float64:
		v.SetFloat(r.Float64())
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	default:
		panic("a field of type " + v.Type().String())
	}
}
