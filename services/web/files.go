package web

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
)

// built holds what `make build` made of app/. In a fresh checkout there is only placeholder.html.
//
//go:embed all:ui
var built embed.FS

// release is written by `make ui-release`. A program that imports the module from a proxy has these pages: the folder
// ui is not under version control, so the module does not hold it.
//
//go:embed release.zip
var release []byte

// exported returns the files of the export: the fresh ones where they are there, those of the last release else. Where
// there is neither, it returns the placeholder.
func exported() (fs.FS, error) {
	fresh, err := fs.Sub(built, "ui")
	if err != nil {
		return nil, fmt.Errorf("open the pages: %w", err)
	}
	return choose(fresh, release)
}

func choose(fresh fs.FS, archive []byte) (fs.FS, error) {
	if _, err := fs.Stat(fresh, "index.html"); err == nil {
		return fresh, nil
	}
	released, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("open the pages of the release: %w", err)
	}
	if _, err := fs.Stat(released, "index.html"); err != nil {
		return fresh, nil // the archive of a first checkout is empty
	}
	return released, nil
}
