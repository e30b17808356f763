package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNotice(t *testing.T) {
	components := []component{
		{kind: goModules, name: "example.org/a", version: "v1.0.0", texts: []string{"Apache", "made by A"}},
		{kind: npmPackages, name: "@b/c", version: "2.0.0", texts: []string{"Apache"}},
		{kind: otherFiles, name: "D", texts: []string{"MIT\n  indented 3.0.0"}},
	}
	var notice bytes.Buffer
	if err := write(&notice, components); err != nil {
		t.Fatal(err)
	}
	// A licence stands there once, beneath the names of all that use it.
	if want := "\nexample.org/a v1.0.0\n@b/c 2.0.0\n\nApache\n"; strings.Count(notice.String(), want) != 1 {
		t.Errorf("not once %q in\n%s", want, &notice)
	}
	if strings.Count(notice.String(), "Apache") != 1 {
		t.Errorf("a licence stands there twice:\n%s", &notice)
	}
	if err := compare(bytes.NewReader(notice.Bytes()), components); err != nil {
		t.Errorf("a fresh notice: %v", err)
	}

	components[0].version = "v1.0.1"
	err := compare(bytes.NewReader(notice.Bytes()), components[:2])
	if !errors.Is(err, errOutdated) {
		t.Fatalf("a notice that lacks one version and has one too many: %v", err)
	}
	_, differences, _ := strings.Cut(err.Error(), ":\n")
	if diff := cmp.Diff("+ example.org/a v1.0.1\n- example.org/a v1.0.0\n- D", differences); diff != "" {
		t.Error(diff)
	}
}

func TestWebPackages(t *testing.T) {
	root := folder(t, map[string]string{
		"package-lock.json": `{"packages": {
			"": {"version": "0.0.0"},
			"node_modules/a": {"version": "1.0.0"},
			"node_modules/a/node_modules/@b/c": {"version": "2.0.0", "license": "MIT"},
			"node_modules/d": {"version": "2.0.0", "dev": true},
			"node_modules/e": {"version": "2.0.0", "devOptional": true},
			"node_modules/f": {"version": "2.0.0", "optional": true},
			"node_modules/tailwindcss": {"version": "4.0.0", "dev": true}}}`,
		"node_modules/a/LICENSE":                        "of a",
		"node_modules/a/node_modules/@b/c/package.json": "{}",
		"node_modules/tailwindcss/LICENSE":              "of tailwindcss",
	})
	got, err := webPackages(root, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []component{
		{kind: npmPackages, name: "a", version: "1.0.0", texts: []string{"of a"}},
		{kind: npmPackages, name: "@b/c", version: "2.0.0",
			texts: []string{"The package holds no text of a licence. It names this one: MIT"}},
		{kind: npmPackages, name: "tailwindcss", version: "4.0.0", texts: []string{"of tailwindcss"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(component{})); diff != "" {
		t.Error(diff)
	}

	if err := os.RemoveAll(filepath.Join(root, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if _, err := webPackages(root, true); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the texts of packages that are not installed: %v", err)
	}
	if listed, err := webPackages(root, false); err != nil || len(listed) != len(want) {
		t.Errorf("the list of packages that are not installed: %v, %v", listed, err)
	}
}

func TestLicencesAbove(t *testing.T) {
	root := folder(t, map[string]string{
		"LICENSE":             "whole",
		"NOTICE.txt":          "notice",
		"license.go":          "package code",
		"used/licence-zlib":   "used",
		"used/deep/COPYING":   "whole",
		"not-linked/LICENSE":  "elsewhere",
		"used/licensed/a.txt": "a folder by a like name",
	})
	got, err := licencesAbove([]string{filepath.Join(root, "used/deep"), filepath.Join(root, "used")}, root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"whole", "notice", "used"}, got); diff != "" {
		t.Error(diff)
	}
}

// folder makes files in a folder that is removed after the test.
func folder(t *testing.T, files map[string]string) string {
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
