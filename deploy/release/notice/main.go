// Command notice writes the licences of what a release contains and others wrote: the Go modules that are linked into
// the programs, the npm packages of the web interface, and the files of others in this repository.
//
//	notice MAIN… > NOTICE           writes them; the npm packages have to be installed
//	notice -check NOTICE MAIN…      fails when the list in NOTICE is not that of go.mod and package-lock.json
//
// It runs in the module's root. The check reads no licence and needs no network once the modules are downloaded.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const header = `Windlass contains software of others, which is listed here with its licences.
The licence of Windlass itself is in LICENSE.

This file is written by "make notice". It covers what is linked into the programs of a release for Linux and macOS,
and the packages of the web interface. The package next contains further packages, whose licences are in its folder
dist/compiled.
`

// component is something of others, in one version.
type component struct {
	kind    string // the heading it stands under
	name    string
	version string
	texts   []string // of its licences; none while only the list is wanted
}

func (c component) String() string { return strings.TrimSpace(c.name + " " + c.version) }

const (
	goModules   = "Go modules"
	npmPackages = "npm packages"
	otherFiles  = "Others"
)

var kinds = []string{goModules, npmPackages, otherFiles}

func main() {
	check := flag.String("check", "", "the file to compare with")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: notice [-check FILE] MAIN…")
		os.Exit(2)
	}
	if err := run(*check, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(check string, mains []string) error {
	components, err := collect(mains, check == "")
	if err != nil {
		return err
	}
	if check == "" {
		return write(os.Stdout, components)
	}
	file, err := os.Open(check)
	if err != nil {
		return err
	}
	defer file.Close()
	return compare(file, components)
}

// collect returns all components, sorted, with their licences if texts is set.
func collect(mains []string, texts bool) ([]component, error) {
	modules, err := linkedModules(mains, texts)
	if err != nil {
		return nil, fmt.Errorf("list the Go modules: %w", err)
	}
	packages, err := webPackages(".", texts)
	if err != nil {
		return nil, fmt.Errorf("list the npm packages: %w", err)
	}
	others, err := others(texts)
	if err != nil {
		return nil, err
	}
	return slices.Concat(modules, packages, others), nil
}

const rule = "--------------------------------------------------------------------------------"

// write writes the list, which compare reads, and then each licence once, beneath the names of all it is for.
func write(to io.Writer, components []component) error {
	out := bufio.NewWriter(to)
	fmt.Fprint(out, header)
	for _, kind := range kinds {
		fmt.Fprintf(out, "\n%s:\n\n", kind)
		for _, c := range components {
			if c.kind == kind {
				fmt.Fprintf(out, "  %s\n", c)
			}
		}
	}
	var licences []string
	users := map[string][]string{}
	for _, c := range components {
		for _, text := range c.texts {
			if users[text] == nil {
				licences = append(licences, text)
			}
			users[text] = append(users[text], c.String())
		}
	}
	for _, text := range licences {
		fmt.Fprintf(out, "\n%s\n%s\n\n%s\n", rule, strings.Join(users[text], "\n"), text)
	}
	return out.Flush()
}

var errOutdated = errors.New("out of date (make notice)")

// compare says which components the list at the beginning of a notice lacks, and which it should not have.
func compare(notice io.Reader, components []component) error {
	var listed, wanted []string
	lines := bufio.NewScanner(notice)
	for lines.Scan() && lines.Text() != rule {
		if name, ok := strings.CutPrefix(lines.Text(), "  "); ok {
			listed = append(listed, name)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for _, c := range components {
		wanted = append(wanted, c.String())
	}
	var differences []string
	for _, name := range wanted {
		if !slices.Contains(listed, name) {
			differences = append(differences, "+ "+name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(wanted, name) {
			differences = append(differences, "- "+name)
		}
	}
	if differences != nil {
		return fmt.Errorf("NOTICE is %w:\n%s", errOutdated, strings.Join(differences, "\n"))
	}
	return nil
}
