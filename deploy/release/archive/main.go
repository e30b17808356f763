// Command archive packs a folder into a .tar.gz whose bytes depend on nothing but the files: archive -time SECONDS
// FOLDER FILE. The names begin with the folder's own name and are sorted. Every file belongs to user and group 0 and
// has the given time. The tar programs of Linux and macOS differ in the options for this.
package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

func main() {
	seconds := flag.Int64("time", 0, "time of all files, in seconds since 1970")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: archive -time SECONDS FOLDER FILE")
		os.Exit(2)
	}
	if err := pack(flag.Arg(0), flag.Arg(1), time.Unix(*seconds, 0).UTC()); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func pack(folder, file string, at time.Time) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(write(out, os.DirFS(folder), filepath.Base(folder), at), out.Close())
}

// write packs all regular files. Of their permissions it keeps whether they can be executed.
func write(to io.Writer, files fs.FS, prefix string, at time.Time) error {
	zipped, err := gzip.NewWriterLevel(to, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zipped)
	// WalkDir goes in lexical order.
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file", name)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		header := tar.Header{Typeflag: tar.TypeReg, Name: path.Join(prefix, name), Size: info.Size(), Mode: mode, ModTime: at}
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		file, err := files.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(archive, file)
		return errors.Join(err, file.Close())
	})
	return errors.Join(err, archive.Close(), zipped.Close())
}
