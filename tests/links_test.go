package tests

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence    = regexp.MustCompile("(?ms)^[ \t]*(```|~~~).*?^[ \t]*(```|~~~)[ \t]*$")
	codeSpan = regexp.MustCompile("`[^`\n]*`")
	heading  = regexp.MustCompile(`(?m)^#{1,6}[ \t]+(.*?)[ \t]*$`)
	anchor   = regexp.MustCompile(`<a (?:id|name)="([^"]+)">`)
	linked   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	target   = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)`)
	scheme   = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	unspoken = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// Each relative link of the documentation leads to a file that is there, and each anchor to a heading.
func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	root := os.DirFS("..")
	links := 0
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(file) != ".md":
			return nil
		}
		dead, n, err := deadLinks(root, file)
		links += n
		for _, link := range dead {
			t.Errorf("%s: %s leads nowhere", file, link)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if links < 50 {
		t.Errorf("found only %d links; is this the root of the module?", links)
	}
}

func TestDeadLinksAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.md": "# A `b`: c, and \"d\"\n## Twice\n## [Twice](sub)\n<a id=\"here\"></a>\n" +
			"```\n# not a heading\n[x](nowhere)\n```\n" +
			"[ok](#a-b-c-and-d) [ok](#twice-1) [ok](#here) [ok](sub/b.md#b) [ok](sub) [ok](https://example.com/x) " +
			"![ok](sub/b.md) `[code](nowhere)`\n" +
			"[1](nowhere.md) [2](#twice-2) [3](sub/b.md#a) [4](#not-a-heading) [![5](gone.png)](sub)",
		"sub/b.md": "# B\n[up](../a.md#here)",
	} {
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dead, n, err := deadLinks(os.DirFS(dir), "a.md")
	if want := "[nowhere.md #twice-2 sub/b.md#a #not-a-heading gone.png]"; err != nil || fmt.Sprint(dead) != want {
		t.Errorf("%v of %d, error %v, want %s", dead, n, err, want)
	}
	if dead, n, err := deadLinks(os.DirFS(dir), "sub/b.md"); err != nil || len(dead) > 0 || n != 1 {
		t.Errorf("%v of %d, error %v", dead, n, err)
	}
}

// deadLinks returns the relative links of a file of Markdown that lead nowhere, and how many it has.
func deadLinks(root fs.FS, file string) (dead []string, all int, err error) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return nil, 0, err
	}
	prose := codeSpan.ReplaceAllString(fence.ReplaceAllString(string(text), ""), "")
	for _, match := range target.FindAllStringSubmatch(prose, -1) {
		link := match[1]
		if scheme.MatchString(link) {
			continue
		}
		all++
		to, name, _ := strings.Cut(link, "#")
		to, err := url.PathUnescape(to)
		if err != nil {
			dead = append(dead, link)
			continue
		}
		place := path.Join(path.Dir(file), to)
		if to == "" {
			place = file
		}
		if _, err := fs.Stat(root, place); err != nil || name != "" && !anchors(root, place)[name] {
			dead = append(dead, link)
		}
	}
	return dead, all, nil
}

// anchors are the places in a file of Markdown that a link can name, as GitHub makes them from headings.
func anchors(root fs.FS, file string) map[string]bool {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return nil
	}
	places := map[string]bool{}
	prose := fence.ReplaceAllString(string(text), "")
	for _, match := range anchor.FindAllStringSubmatch(prose, -1) {
		places[match[1]] = true
	}
	for _, match := range heading.FindAllStringSubmatch(prose, -1) {
		title := strings.ToLower(linked.ReplaceAllString(match[1], "$1"))
		name := strings.ReplaceAll(unspoken.ReplaceAllString(title, ""), " ", "-")
		unique := name
		for n := 1; places[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", name, n)
		}
		places[unique] = true
	}
	return places
}
