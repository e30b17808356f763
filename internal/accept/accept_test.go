package accept_test

import (
	"testing"

	"github.com/windlass-jobs/windlass/internal/accept"
)

func TestGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"gzip": true, "br, gzip;q=0.8": true, "GZIP ; q=1": true, "*": true, "identity;q=0, *": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip; q=0.000": false, "*;q=0": false, "gzipped": false,
		"identity, gzip;q=0.5": false, "gzip;q=x": false, "gzip;q=0, *": false,
	} {
		if got := accept.Gzip([]string{header}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
	if !accept.Gzip([]string{"br", "gzip"}) || accept.Gzip(nil) {
		t.Error("the lines of a header are not one list")
	}
}
