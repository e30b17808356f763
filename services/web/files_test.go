package web

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, body := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(body))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestChoose(t *testing.T) {
	placeholder := fstest.MapFS{"placeholder.html": {Data: []byte("not built")}}
	fresh := fstest.MapFS{"placeholder.html": {Data: []byte("not built")}, "index.html": {Data: []byte("fresh")}}
	released := archive(t, map[string]string{
		"index.html": "released", "jobs/" + nilID + ".html": nilID, "_next/static/a.js": "a",
	})
	for _, c := range []struct {
		name    string
		fresh   fs.FS
		archive []byte
		want    string
	}{
		{"fresh files win", fresh, released, "fresh"},
		{"the release stands in", placeholder, released, "released"},
		{"neither is there", placeholder, archive(t, nil), "not built"},
		{"fresh files do without a release", fresh, nil, "fresh"},
	} {
		files, err := choose(c.fresh, c.archive)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if w := ask(served(t, files), "GET", "/"); w.Code != 200 || w.Body.String() != c.want {
			t.Errorf("%s: %d %q, want %q", c.name, w.Code, w.Body, c.want)
		}
	}
	if _, err := choose(placeholder, []byte("no archive")); err == nil {
		t.Error("a damaged archive is taken for an empty one")
	}
	files, err := choose(placeholder, released)
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(served(t, files), "GET", "/jobs/"+someID); w.Code != 200 || w.Body.String() != someID {
		t.Errorf("a job's page of the release: %d %q", w.Code, w.Body)
	}
}

// The pages that programs carry: those of this checkout, where they are built, and those of the release.
func TestExport_WorksBeneathAPrefix(t *testing.T) {
	current, err := exported()
	if err != nil {
		t.Fatal(err)
	}
	released, err := choose(fstest.MapFS{}, release)
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]fs.FS{"current": current, "release": released} {
		t.Run(name, func(t *testing.T) { checkExport(t, files) })
	}
}

func checkExport(t *testing.T, files fs.FS) {
	const base = "/some/where"
	h := servedBeneath(t, base, files)
	for _, page := range []string{"/", "/create", "/dead", "/queues", "/workers", "/jobs/" + someID} {
		if w := ask(h, "GET", base+page); w.Code != 200 {
			t.Errorf("%s: %d", page, w.Code)
		}
	}
	address := regexp.MustCompile(`(?:href|src)=\\?"(/[^"\\]*)`)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "placeholder.html" {
			return err
		}
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		switch path.Ext(name) {
		case ".txt":
			if row, err := textRowWithPlaceholder(raw); err != nil || row != "" {
				t.Errorf("%s: text row %q has a length and the placeholder; %v", name, row, err)
			}
		case ".js":
			// The router cuts the prefix off by its length. As a number it would be that of the placeholder.
			if bytes.Contains(raw, fmt.Appendf(nil, ".slice(%d)", len(basePathPlaceholder))) {
				t.Errorf("%s: the length of the placeholder may have been compiled in", name)
			}
		case ".css":
			if bytes.Contains(raw, []byte("url(/")) || bytes.Contains(raw, []byte(`url("/`)) {
				t.Errorf("%s: an address that is absolute", name)
			}
		}
		w := ask(h, "GET", base+"/"+name)
		left := strings.Contains(w.Body.String(), basePathPlaceholder)
		if w.Code != 200 || left {
			t.Errorf("%s: %d, placeholder left: %t", name, w.Code, left)
		}
		if path.Ext(name) == ".html" {
			for _, found := range address.FindAllStringSubmatch(w.Body.String(), -1) {
				if !strings.HasPrefix(found[1], base+"/") {
					t.Errorf("%s: %s leads out of %s", name, found[1], base)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// textRowWithPlaceholder returns the first text row of a flight stream that has the placeholder in it. Such a row
// begins with its length ("2a:T4f3,"), which would be wrong after the placeholder has been replaced. All other rows end
// with a line feed.
func textRowWithPlaceholder(stream []byte) (string, error) {
	for len(stream) > 0 {
		_, row, found := bytes.Cut(stream, []byte(":"))
		if !found {
			return "", fmt.Errorf("no row: %.40q", stream)
		}
		if text, is := bytes.CutPrefix(row, []byte("T")); is {
			length, text, _ := bytes.Cut(text, []byte(","))
			n, err := strconv.ParseUint(string(length), 16, 31)
			if err != nil || int(n) > len(text) {
				return "", fmt.Errorf("no text row: %.40q", row)
			}
			if bytes.Contains(text[:n], []byte(basePathPlaceholder)) {
				return string(text[:n]), nil
			}
			stream = text[n:]
			continue
		}
		_, stream, _ = bytes.Cut(row, []byte("\n"))
	}
	return "", nil
}

func TestTextRowWithPlaceholder(t *testing.T) {
	harmless := "1:\"/__windlass_base__/a\"\n2:T5,\n1:T93:[\"x\"]\n:HL[\"/__windlass_base__/b\"]\n"
	if row, err := textRowWithPlaceholder([]byte(harmless)); row != "" || err != nil {
		t.Errorf("%q, %v", row, err)
	}
	if row, err := textRowWithPlaceholder([]byte(harmless + "4:T14,a/__windlass_base__/5:1\n")); row == "" || err != nil {
		t.Errorf("%q, %v: the row is not found", row, err)
	}
}
