package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestArchive(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	// The same files, made by two people at different times.
	mine := fstest.MapFS{
		"windlass":       {Data: []byte("program"), Mode: 0o700, ModTime: time.Unix(1, 0)},
		"README.md":      {Data: []byte("read"), Mode: 0o600, ModTime: time.Unix(2, 0)},
		"docs/first.txt": {Data: []byte("one"), Mode: 0o644, ModTime: time.Unix(3, 0)},
	}
	yours := fstest.MapFS{
		"windlass":       {Data: []byte("program"), Mode: 0o755, ModTime: time.Unix(7, 0)},
		"README.md":      {Data: []byte("read"), Mode: 0o664},
		"docs/first.txt": {Data: []byte("one"), Mode: 0o444},
	}
	var first, second bytes.Buffer
	for out, files := range map[*bytes.Buffer]fstest.MapFS{&first: mine, &second: yours} {
		if err := write(out, files, "windlass-v1", at); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same files gave two archives")
	}

	zipped, err := gzip.NewReader(&first)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	archive := tar.NewReader(zipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %o %d:%d %d %s",
			header.Name, header.Mode, header.Uid, header.Gid, header.ModTime.Unix(), body))
	}
	want := []string{
		"windlass-v1/README.md 644 0:0 1700000000 read",
		"windlass-v1/docs/first.txt 644 0:0 1700000000 one",
		"windlass-v1/windlass 755 0:0 1700000000 program",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
