package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// platforms are those of a release. Some modules are linked on one system only.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}

// linkedModules returns the modules that hold a package of the programs, on any platform, without this one.
func linkedModules(mains []string, texts bool) ([]component, error) {
	type module struct {
		Path, Version, Dir string
		Main               bool
		Replace            *module
	}
	type pkg struct {
		Dir    string
		Module *module
	}
	modules := map[string]module{}
	folders := map[string][]string{} // of the linked packages, by module
	for _, platform := range platforms {
		system, arch, _ := strings.Cut(platform, "/")
		list := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,Module"}, mains...)...)
		list.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(bytes.NewReader(out))
		for {
			var p pkg
			if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if p.Module == nil || p.Module.Main {
				continue // the standard library, or our own
			}
			m := *p.Module
			if m.Replace != nil {
				m = *m.Replace
			}
			modules[m.Path] = m
			folders[m.Path] = append(folders[m.Path], p.Dir)
		}
	}
	var components []component
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		c := component{kind: goModules, name: m.Path, version: m.Version}
		if texts {
			var err error
			if c.texts, err = licencesAbove(folders[name], m.Dir); err != nil {
				return nil, err
			}
			if c.texts == nil {
				return nil, fmt.Errorf("%s has no licence that this program finds", c)
			}
		}
		components = append(components, c)
	}
	return components, nil
}

// webPackages returns the npm packages that the web interface is built from, without what is only a tool. Optional ones
// are native programs for the build, different on each system, and not part of the pages.
func webPackages(root string, texts bool) ([]component, error) {
	raw, err := os.ReadFile(filepath.Join(root, "package-lock.json"))
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct {
			Version, License           string
			Dev, DevOptional, Optional bool
		}
	}
	if err := json.Unmarshal(raw, &lock); err != nil {
		return nil, err
	}
	var components []component
	for _, folder := range slices.Sorted(maps.Keys(lock.Packages)) {
		name, ok := packageName(folder)
		entry := lock.Packages[folder]
		tool := entry.Dev && name != "tailwindcss" // a part of it is in every style sheet
		if !ok || tool || entry.DevOptional || entry.Optional {
			continue // the first entry is the web interface itself, without a folder
		}
		c := component{kind: npmPackages, name: name, version: entry.Version}
		if slices.ContainsFunc(components, func(other component) bool { return other.String() == c.String() }) {
			continue
		}
		if texts {
			folder := filepath.Join(root, folder)
			if _, err := os.Stat(folder); err != nil {
				return nil, fmt.Errorf("%w (npm ci)", err)
			}
			if c.texts, err = licencesAbove([]string{folder}, folder); err != nil {
				return nil, err
			}
			if c.texts == nil {
				c.texts = []string{"The package holds no text of a licence. It names this one: " + entry.License}
			}
		}
		components = append(components, c)
	}
	return components, nil
}

// packageName returns the name in a folder of package-lock.json: node_modules/a/node_modules/@b/c holds @b/c.
func packageName(folder string) (string, bool) {
	const parent = "node_modules/"
	i := strings.LastIndex(folder, parent)
	if i < 0 {
		return "", false
	}
	return folder[i+len(parent):], true
}

// others returns what no list of dependencies names.
func others(texts bool) ([]component, error) {
	components := []component{
		{kind: otherFiles, name: "Go, its standard library and run time"},
		{kind: otherFiles, name: "RapiDoc", version: "9.3.8"},
	}
	if !texts {
		return components, nil
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	files := []string{
		filepath.Join(strings.TrimSpace(string(root)), "LICENSE"),
		"services/api/httpapi/docs/rapidoc.LICENSE.txt",
	}
	for i, file := range files {
		text, err := read(file)
		if err != nil {
			return nil, err
		}
		components[i].texts = []string{text}
	}
	return components, nil
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|copyright|notice|patents|ofl|unlicense)([-_.].*)?$`)
	sourceFile  = regexp.MustCompile(`(?i)\.(go|[cm]?[jt]s|json|map|html|png|svg)$`)
)

// licencesAbove returns the licences in the folders and in all above them, up to root.
func licencesAbove(folders []string, root string) ([]string, error) {
	files := map[string]bool{}
	seen := map[string]bool{}
	for _, folder := range folders {
		for ; len(folder) >= len(root) && !seen[folder]; folder = filepath.Dir(folder) {
			seen[folder] = true
			entries, err := os.ReadDir(folder)
			if err != nil {
				return nil, err
			}
			for _, entry := range entries {
				if entry.Type().IsRegular() && licenceFile.MatchString(entry.Name()) && !sourceFile.MatchString(entry.Name()) {
					files[filepath.Join(folder, entry.Name())] = true
				}
			}
		}
	}
	var texts []string
	for _, file := range slices.Sorted(maps.Keys(files)) {
		text, err := read(file)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts, nil
}

func read(file string) (string, error) {
	raw, err := os.ReadFile(file)
	return strings.TrimSpace(strings.ReplaceAll(string(raw), "\r\n", "\n")), err
}
