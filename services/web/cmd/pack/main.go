// Command pack writes the export of the web interface into one archive, for programs that import the module without
// building the pages: pack FOLDER ARCHIVE. The same files give the same archive.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack FOLDER ARCHIVE")
		os.Exit(2)
	}
	var archive bytes.Buffer
	err := write(&archive, os.DirFS(os.Args[1]))
	if err == nil {
		err = os.WriteFile(os.Args[2], archive.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d KiB\n", os.Args[2], archive.Len()/1024)
}

// write packs what browsers ask for, sorted by name and without times.
func write(to io.Writer, files fs.FS) error {
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		return fmt.Errorf("this is no export: %w", err)
	}
	legacy := legacyScripts(index)
	archive := zip.NewWriter(to)
	archive.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || unused(name) || legacy[path.Base(name)] {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		file, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return err
		}
		_, err = file.Write(body)
		return err
	})
	return errors.Join(err, archive.Close())
}

// unused reports whether the router of an export never asks for a file. The page for what is not there is 404.html.
func unused(name string) bool {
	return name == "placeholder.html" || strings.HasPrefix(name, "_not-found") || path.Base(name) == "__next._full.txt"
}

var legacyScript = regexp.MustCompile(`<script src="([^"]+)" noModule=""`)

// legacyScripts are the names of the scripts for browsers that do not know modules. Such a browser cannot run the rest
// of the pages either, and every other one skips them.
func legacyScripts(page []byte) map[string]bool {
	names := map[string]bool{}
	for _, match := range legacyScript.FindAllSubmatch(page, -1) {
		names[path.Base(string(match[1]))] = true
	}
	return names
}
