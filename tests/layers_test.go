// Package tests has the tests of the whole module: import rules and style. The folders in it have the other tests.
package tests

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/windlass-jobs/windlass"

// layer says what the packages of a folder may import, besides the standard library.
type layer struct {
	folder string   // relative to the module; with "/…" at the end it includes the folders below
	ours   []string // folders of this module, in the same form
	third  []string // third-party modules or packages, including the packages below
	pure   bool     // no I/O from the standard library, no goroutine
}

// layers says which package may import which. A folder that is not in the table must not have Go files, so each new
// package needs a decision.
var layers = []layer{
	// The library: nouns, contracts, verbs, and one folder for each technology.
	{folder: "internal/accept", pure: true},
	{folder: "internal/canonjson", pure: true},
	{folder: "internal/connstring", pure: true},
	{folder: "internal/lifecycle"},
	{folder: "internal/version"},
	{folder: "internal/shape", ours: []string{"internal/canonjson"}, pure: true},
	{folder: "internal/fields", ours: []string{"jobs"}, pure: true},
	{folder: "jobs", pure: true},
	{folder: "jobs/store", ours: []string{"jobs"}, pure: true},
	{folder: "jobs/queue", ours: []string{"jobs"}, pure: true},
	{folder: "jobs/internal/fault"}, // does nothing, except in programs that the torture builds
	{folder: "jobs/engine", ours: append([]string{"internal/…", "jobs/internal/fault"}, contracts...),
		third: []string{uuid, sync, jsonschema}},
	{
		folder: "jobs/store/postgres", third: []string{pgx},
		ours: append([]string{"internal/connstring", "internal/fields", "jobs/internal/fault"}, contracts...),
	},
	{folder: "jobs/access", ours: contracts, third: []string{uuid, sync}},
	{folder: "jobs/store/sqlite", ours: append([]string{"internal/fields"}, contracts...), third: []string{sqlite}},
	{folder: "jobs/queue/redis", third: []string{goredis}, ours: append([]string{"internal/connstring"}, contracts...)},
	{folder: "jobs/queue/memory", ours: contracts},
	{folder: "jobs/store/storetest", ours: append([]string{"internal/canonjson"}, contracts...), third: testLibraries},
	{folder: "jobs/queue/queuetest", ours: contracts, third: testLibraries},

	// What programs import. It knows no driver but the one that needs nothing.
	{
		folder: ".",
		ours: append([]string{
			"internal/lifecycle", "jobs/access", "jobs/engine", "jobs/queue/memory", "services/api/httpapi", "services/web",
		}, contracts...),
	},
	{
		folder: "windlasstest",
		ours:   append([]string{".", "internal/canonjson", "jobs/queue/memory", "jobs/store/sqlite"}, contracts...),
		third:  []string{uuid},
	},

	// The client over HTTP, for programs without a database.
	{folder: "httpclient", ours: []string{"internal/fields", "jobs", "jobs/store"}},

	// Job types.
	{folder: "handlers", ours: []string{"jobs"}},

	// The processes: each has one store and one queue.
	{folder: "services/internal/settings", third: []string{env},
		ours: []string{"internal/connstring", "jobs", "jobs/engine"}},
	{folder: "services/internal/process", third: []string{tint, term},
		ours: append([]string{"internal/lifecycle", "internal/version", "jobs/access", "services/internal/settings"},
			contracts...)},
	{folder: "services/api/httpapi", third: []string{huma, prometheus, sync},
		ours: append([]string{"internal/accept", "internal/canonjson", "internal/fields", "jobs/access", "jobs/engine"},
			contracts...)},
	{
		folder: "services/migratecmd",
		ours:   []string{"jobs", "jobs/store", "jobs/store/postgres", "services/internal/settings"},
	},
	{folder: "services/api/apicmd",
		ours: append([]string{"jobs/store/postgres", "jobs/queue/redis", "services/migratecmd"}, wired...)},
	{folder: "services/worker/workercmd", ours: append([]string{"jobs/store/postgres", "jobs/queue/redis"}, wired...),
		third: []string{prometheus}}, // for its own health port
	{folder: "services/embedded/embeddedcmd", third: []string{prometheus},
		ours: append([]string{"jobs/store/sqlite", "jobs/queue/memory", "services/web"}, wired...)},
	// The commands that open a database themselves, whichever it is.
	{folder: "services/storecmd", ours: []string{"jobs", "jobs/access", "jobs/store", "jobs/store/postgres",
		"jobs/store/sqlite",
		"jobs/queue/redis", "internal/version", "services/internal/settings"}},
	{folder: "services/api", ours: []string{"services/api/apicmd"}},
	{folder: "services/worker", ours: []string{"services/worker/workercmd"}},
	{folder: "services/embedded", ours: []string{"services/embedded/embeddedcmd"}},
	{folder: "services/web", ours: []string{"internal/accept"}},
	{folder: "services/web/cmd/pack"},

	// The command line: one binary.
	{folder: "cmd/windlass", third: []string{cobra, pflag},
		ours: []string{"jobs", "jobs/store", "httpclient", "internal/fields", "internal/version",
			"services/migratecmd", "services/storecmd",
			"services/api/apicmd", "services/worker/workercmd", "services/embedded/embeddedcmd"}},

	// The tools that make a release.
	{folder: "deploy/release/…"},

	// Tests of several packages, and what they need.
	{folder: "tests"},
	{folder: "tests/servers", third: []string{pgx, goredis}},
	{folder: "tests/servers/cmd/with-servers", ours: []string{"tests/servers"}},
	{folder: "tests/localapi", ours: []string{"jobs/…", "services/api/httpapi"}},
	{folder: "tests/pipeline"},
	{folder: "tests/postgresmatrix", ours: []string{".", "jobs/…", "tests/servers"}, third: []string{pgx}},
	{folder: "tests/e2e/mounted", ours: []string{"services/web"}},
	{folder: "tests/torture/embedded", ours: []string{"jobs/…", "services/api/httpapi", "tests/torture/…"}},
	{folder: "tests/torture/…", ours: []string{"jobs/…", "handlers", "tests/servers", "tests/torture/…"},
		third: testLibraries},
}

// contracts are the nouns, and the interfaces that the drivers implement.
var contracts = []string{"jobs", "jobs/store", "jobs/queue"}

// wired are the packages that the main package of every process may import.
var wired = []string{"jobs", "jobs/engine", "handlers", "internal/lifecycle", "internal/version",
	"services/api/httpapi", "services/internal/process", "services/internal/settings"}

// A _test.go file may also import these, and the package under test.
var (
	testOurs      = []string{"internal/…", "jobs/…", "handlers", "tests/localapi", "tests/servers"}
	testLibraries = []string{uuid, pgx, libpq, sqlite, goredis, jsonschema,
		"github.com/google/go-cmp", "go.uber.org/goleak", "pgregory.net/rapid", "github.com/Shopify/toxiproxy/v2"}
)

const (
	uuid       = "github.com/google/uuid"
	sync       = "golang.org/x/sync"
	pgx        = "github.com/jackc/pgx/v5"
	libpq      = "github.com/lib/pq"
	sqlite     = "modernc.org/sqlite"
	goredis    = "github.com/redis/go-redis/v9"
	huma       = "github.com/danielgtaylor/huma/v2"
	prometheus = "github.com/prometheus/client_golang"
	jsonschema = "github.com/santhosh-tekuri/jsonschema/v6"
	cobra      = "github.com/spf13/cobra"
	pflag      = "github.com/spf13/pflag"
	env        = "github.com/caarlos0/env/v11"
	tint       = "github.com/lmittmann/tint"
	term       = "golang.org/x/term"
)

// impure are the packages of the standard library that a pure package must not import, including the packages below.
var impure = []string{"os", "net", "database", "io/ioutil", "syscall", "log", "plugin"}

// pureExceptions are packages below impure ones that do no I/O.
var pureExceptions = []string{"log/slog", "net/url", "net/netip"}

// source is the part of a Go file that the rules check.
type source struct {
	path    string // relative to the module, with slashes
	imports []string
	spawns  bool // has a go statement
}

func TestLayers(t *testing.T) {
	sources := readModule(t, "..")
	if len(sources) < 20 {
		t.Fatalf("found only %d Go files; is this the root of the module?", len(sources))
	}
	for _, v := range violations(layers, sources) {
		t.Error(v)
	}
}

func TestLayersCatchAForgedViolation(t *testing.T) {
	file := func(path string, imports ...string) source { return source{path: path, imports: imports} }
	tests := []struct {
		name   string
		source source
		want   string // part of the violation; empty: no violation
	}{
		{"nouns import a library", file("jobs/job.go", uuid), "jobs/job.go imports " + uuid},
		{"nouns import the engine", file("jobs/job.go", module+"/jobs/engine"), "imports jobs/engine"},
		{"nouns open files", file("jobs/job.go", "os"), "imports os"},
		{"nouns open connections", file("jobs/job.go", "net/http"), "imports net/http"},
		{"nouns log", file("jobs/job.go", "log/slog", "encoding/json"), ""},
		{"nouns start goroutines", source{path: "jobs/job.go", spawns: true}, "starts a goroutine"},
		{"engine knows a driver", file("jobs/engine/a.go", module+"/jobs/store/sqlite"), "imports jobs/store/sqlite"},
		{"engine uses its libraries", file("jobs/engine/a.go", uuid, sync+"/errgroup", "os"), ""},
		{"a library with an allowed name as a prefix", file("jobs/engine/a.go", uuid+"x"), "imports " + uuid + "x"},
		{"a driver imports another driver's library", file("jobs/store/sqlite/a.go", pgx), "imports " + pgx},
		{"a handler submits", file("handlers/email.go", module+"/jobs/engine"), "imports jobs/engine"},
		{"the api opens a second store", file("services/api/apicmd/apicmd.go", module+"/jobs/store/sqlite"),
			"imports jobs/store/sqlite"},
		{"a product file imports a test kit", file("jobs/engine/a.go", module+"/tests/servers"), "imports tests/servers"},
		{"a test imports a test kit", file("jobs/engine/a_test.go", module+"/tests/servers", "go.uber.org/goleak"), ""},
		{"a test imports its own package", file("services/api/httpapi/a_test.go", module+"/services/api/httpapi"), ""},
		{"a test imports a process", file("jobs/engine/a_test.go", module+"/services/api/httpapi"),
			"imports services/api/httpapi"},
		{"the client opens a database", file("httpclient/a.go", module+"/jobs/store/sqlite"), "imports jobs/store/sqlite"},
		{"the client knows the engine", file("httpclient/a.go", module+"/jobs/engine"), "imports jobs/engine"},
		{"an unknown package", source{path: "jobs/utils/a.go"}, "jobs/utils is not in the table"},
		{"a folder below a known one", file("tests/torture/nemesis/a.go", module+"/jobs/engine"), ""},
		{"the engine imports the facade", file("jobs/engine/a.go", module), "imports " + module},
		{"the facade knows a database", file("windlass.go", module+"/jobs/store/postgres"), "imports jobs/store/postgres"},
		{"a library that is not in the table", file("services/embedded/main.go", "example.com/left/pad"),
			"imports example.com/left/pad"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(violations(layers, []source{test.source}), "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("violations: %q, want %q", got, test.want)
			}
		})
	}
}

// violations lists the broken rules, one sentence each.
func violations(layers []layer, sources []source) []string {
	var found []string
	for _, s := range sources {
		folder := path.Dir(s.path)
		i := slices.IndexFunc(layers, func(l layer) bool { return covers(l.folder, folder) })
		if i < 0 {
			found = append(found, fmt.Sprintf("%s: the package %s is not in the table of tests/layers_test.go", s.path, folder))
			continue
		}
		rule := layers[i]
		ours, third := rule.ours, rule.third
		test := strings.HasSuffix(s.path, "_test.go")
		if test {
			ours = slices.Concat(ours, testOurs, []string{folder})
			third = slices.Concat(third, testLibraries)
		}
		for _, imported := range s.imports {
			if !allowed(imported, ours, third, rule.pure && !test) {
				name := strings.TrimPrefix(imported, module+"/")
				found = append(found, fmt.Sprintf(
					"%s imports %s, which the table of tests/layers_test.go does not allow", s.path, name))
			}
		}
		if s.spawns && rule.pure && !test {
			found = append(found, s.path+" starts a goroutine, which its layer does not allow")
		}
	}
	return found
}

func allowed(imported string, ours, third []string, pure bool) bool {
	if imported == module {
		return slices.Contains(ours, ".")
	}
	if folder, is := strings.CutPrefix(imported, module+"/"); is {
		return slices.ContainsFunc(ours, func(pattern string) bool { return covers(pattern, folder) })
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") { // the standard library
		return !pure || below(imported, pureExceptions) || !below(imported, impure)
	}
	return below(imported, third)
}

// covers reports whether a pattern of the table includes a folder.
func covers(pattern, folder string) bool {
	if root, is := strings.CutSuffix(pattern, "/…"); is {
		return below(folder, []string{root})
	}
	return pattern == folder
}

// below reports whether name is one of roots, or in a folder of one.
func below(name string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return name == root || strings.HasPrefix(name, root+"/") })
}

// readModule parses the Go files of the module. It leaves out other modules in it.
func readModule(t *testing.T, root string) []source {
	t.Helper()
	var sources []source
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, noModule := os.Stat(filepath.Join(file, "go.mod"))
			hidden := file != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata")
			if hidden || file != root && noModule == nil {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		s, err := readSource(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		s.path = filepath.ToSlash(rel)
		sources = append(sources, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

func readSource(file string) (source, error) {
	var s source
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return s, err
	}
	for _, spec := range tree.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return s, err
		}
		s.imports = append(s.imports, imported)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if _, is := n.(*ast.GoStmt); is {
			s.spawns = true
		}
		return true
	})
	return s, nil
}
