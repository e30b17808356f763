package httpapi_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

var update = flag.Bool("update", false, "write services/api/openapi.json anew")

const committed = "../openapi.json"

func TestOpenAPI(t *testing.T) {
	document, err := httpapi.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	again, err := httpapi.OpenAPI()
	if err != nil || !bytes.Equal(document, again) {
		t.Fatal("the document is not the same twice")
	}
	if *update {
		if err := os.WriteFile(committed, document, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(committed); err != nil || !bytes.Equal(kept, document) {
		t.Errorf("services/api/openapi.json is not what the Go types say (%v): run make generate",
			err)
	}
}
