package main

import (
	"archive/zip"
	"bytes"
	"slices"
	"testing"
	"testing/fstest"
	"time"
)

func TestWrite(t *testing.T) {
	files := fstest.MapFS{
		"index.html": {Data: []byte(`<script src="/__windlass_base__/_next/static/chunks/old.js" noModule=""></script>` +
			`<script src="/__windlass_base__/_next/static/chunks/new.js" async=""></script>`)},
		"404.html": {}, "placeholder.html": {}, "_not-found.txt": {}, "_not-found/__next._tree.txt": {},
		"create/__next._full.txt": {}, "create/__next._tree.txt": {}, "create.txt": {},
		"_next/static/chunks/old.js": {}, "_next/static/chunks/new.js": {},
	}
	var first, again bytes.Buffer
	if err := write(&first, files); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		file.ModTime = time.Now()
	}
	if err := write(&again, files); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Error("the same files give two archives")
	}
	archive, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range archive.File {
		names = append(names, file.Name)
	}
	want := []string{"404.html", "_next/static/chunks/new.js", "create/__next._tree.txt", "create.txt", "index.html"}
	if !slices.Equal(names, want) {
		t.Errorf("packed %q, want %q", names, want)
	}
	if err := write(&again, fstest.MapFS{"404.html": {}}); err == nil {
		t.Error("a folder without an overview is packed")
	}
}
