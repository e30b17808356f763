package handlers

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

func TestEmail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := try(t, t.Context(), Options{}, "email", `{"to":"ada@example.com","cc":"kept"}`)
		if a.err != nil || a.took != emailDuration {
			t.Errorf("error %v after %s, want none after %s", a.err, a.took, emailDuration)
		}
		if want := `{"to":"ada@example.com","message_id":"\u003c0198-id@windlass.invalid\u003e"}`; a.result != want {
			t.Errorf("result %s, want %s", a.result, want)
		}
		if got, want := strings.Join(a.progress, "|"), "0 Connecting to the mail relay|50 Sending the message"; got != want {
			t.Errorf("progress %q, want %q", got, want)
		}
		if a = try(t, t.Context(), Options{}, "email", `{"duration_ms":777}`); a.took != 777*time.Millisecond {
			t.Errorf("took %s, want the 777 ms of the payload", a.took)
		}
		if !strings.Contains(a.result, "someone@example.com") {
			t.Errorf("result %s, want the default recipient", a.result)
		}
	})
}

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := try(t, t.Context(), Options{}, "report", `{"format":"csv","rows":101}`)
		if a.err != nil || a.took != reportDuration {
			t.Errorf("error %v after %s, want none after %s", a.err, a.took, reportDuration)
		}
		if want := `{"file":"0198-id.csv","rows":101,"pages":3}`; a.result != want {
			t.Errorf("result %s, want %s", a.result, want)
		}
		got := strings.Join(a.progress, "|")
		want := "0 Reading 101 rows|11 Adding up|22 Laying out part 1 of 6|33 Laying out part 2 of 6|" +
			"44 Laying out part 3 of 6|56 Laying out part 4 of 6|67 Laying out part 5 of 6|78 Laying out part 6 of 6|" +
			"89 Uploading the file"
		if got != want {
			t.Errorf("progress\n%q, want\n%q", got, want)
		}

		// It fails at 0.2 + 0.7 × 0.5 = 55 % of its 4 s.
		a = try(t, t.Context(), Options{Rand: draws(0, 0.25, 0.5)}, "report", `{"fail_rate":1}`)
		if a.err == nil || a.err.Error() != reportFailures[1] || a.took.Round(time.Millisecond) != 2200*time.Millisecond {
			t.Errorf("error %v after %s, want %q after 2.2 s", a.err, a.took, reportFailures[1])
		}
		if len(a.progress) != 5 {
			t.Errorf("progress %v, want the five steps that began before the failure", a.progress)
		}
		a = try(t, t.Context(), Options{}, "report", `{"rows":0,"duration_ms":0}`)
		if want := `{"file":"0198-id.pdf","rows":0,"pages":1}`; a.result != want {
			t.Errorf("result %s, want %s", a.result, want)
		}
	})
}

func TestImage(t *testing.T) {
	a := try(t, t.Context(), Options{}, "image", `{"duration_ms":60,"width":40,"height":32}`)
	if a.err != nil || a.took < 60*time.Millisecond {
		t.Fatalf("error %v after %s, want no error and 60 ms of work", a.err, a.took)
	}
	var result ImageResult
	if err := json.Unmarshal([]byte(a.result), &result); err != nil {
		t.Fatal(err)
	}
	if result.Width != 40 || result.Height != 32 || result.Frames < 1 || len(result.Checksum) != 8 {
		t.Errorf("result %s", a.result)
	}
	if len(a.progress) == 0 || a.progress[0] != "0 Frame 1, row 1 of 32" {
		t.Errorf("progress %v", a.progress)
	}
	a = try(t, t.Context(), Options{Rand: draws(0)}, "image", `{"duration_ms":50,"fail_rate":1}`)
	if a.err == nil || a.err.Error() != imageFailures[0] || a.took < 10*time.Millisecond {
		t.Errorf("error %v after %s, want %q after a fifth of 50 ms", a.err, a.took, imageFailures[0])
	}
}

// The handler never waits, and still ends soon after its context.
func TestImageHonoursCancellation(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { cancel(jobs.ErrCancelled) })
	a := try(t, ctx, Options{}, "image", `{"duration_ms":3600000,"fail_rate":0,"width":4096,"height":4096}`)
	if a.err != jobs.ErrCancelled || a.took > 20*time.Second {
		t.Errorf("error %v after %s, want the cancellation soon after 30 ms", a.err, a.took)
	}
}

func TestMandelbrotRow(t *testing.T) {
	pixels := make([]byte, 30)
	mandelbrotRow(pixels, 50, 100, 64) // the real axis, from -2.2 to 0.7
	for x, want := range map[int]byte{0: 1, 1: 2, 12: 64, 22: 64} {
		got := pixels[x]
		if want == 64 && got != 64 || want != 64 && got >= 64 {
			t.Errorf("pixel %d escapes after %d steps, want about %d", x, got, want)
		}
	}
}
