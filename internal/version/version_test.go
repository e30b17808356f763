package version

import "testing"

func TestVersion(t *testing.T) {
	defer func(v string) { stamped = v }(stamped)
	stamped = "v1.2.3"
	if got := Version(); got != "v1.2.3" {
		t.Errorf("Version() = %q, want what the linker stamped", got)
	}
	stamped = ""
	if got := Version(); got == "" {
		t.Error("Version() is empty without a stamp")
	}
}
