package torture

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/windlass-jobs/windlass/tests/servers"
)

func TestMain(m *testing.M) { os.Exit(main(m)) }

func main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "windlass-torture-test-")
	if err != nil {
		panic(err)
	}
	scratch = dir
	// The tests here wait more than they work; cast bounds how many do at once.
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(8, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	code := m.Run()
	servers.StopShared()
	// A link that is cut while toxiproxy holds data of it may leave toxiproxy's own goroutine behind; what is looked for are ours.
	const toxiproxy = "github.com/Shopify/toxiproxy/v2."
	err = goleak.Find(
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction(toxiproxy+"(*ToxicLink).read"), goleak.IgnoreAnyFunction(toxiproxy+"(*ToxicLink).write"),
	)
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "the torture leaks:", err)
		code = 1
	}
	if code == 0 {
		os.RemoveAll(dir)
	} else {
		fmt.Fprintln(os.Stderr, "logs and histories are in", dir)
	}
	return code
}

// scratch holds programs, logs and histories; it stays where a test has failed.
var scratch string

// programs are built once for all tests.
func programs(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		built.dir = filepath.Join(scratch, "bin")
		built.err = Build(built.dir, builds)
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// folder makes a new one for the logs and histories of a test, of each of its runs.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, strings.ReplaceAll(t.Name(), "/", "-")+"-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // servers that run as another user have files below it
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// cast bounds how many of the tests that wait more than they work are on at once.
var cast = make(chan struct{}, 6)

// stage lets such a test wait for its turn, and returns where the programs are and a folder of its own.
func stage(t *testing.T) (bin, dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes some seconds, or half a minute")
	}
	t.Parallel()
	bin = programs(t)
	cast <- struct{}{}
	t.Cleanup(func() { <-cast })
	return bin, folder(t)
}

// builds have no clocks that can be moved: that takes a minute more.
var builds = Programs{Race: true, Faults: true}

var built struct {
	once sync.Once
	dir  string
	err  error
}

// TestTorture is a short run, from a new seed each time. `make torture` is a long one.
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	seed := rand.Uint64N(1_000_000)
	r, err := Run(t, Options{
		Setup: Setup{Bin: programs(t), Programs: builds, Disks: seed%2 == 0, Dir: folder(t)},
		Seed:  seed, Faults: 25 * time.Second, Rate: 60, Log: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	r.Write(&table)
	t.Logf("%s\n%s", r.Summary(), table.String())
	if len(r.Violations) > 0 {
		t.Errorf("seed %d: %d violations; make torture SEED=%d", seed, len(r.Violations), seed)
	}
	if r.Accepted < 200 || r.FaultCount() < 15 {
		t.Errorf("seed %d: only %d jobs and %d faults", seed, r.Accepted, r.FaultCount())
	}
}

// TestTortureEmbedded is the same for the one-process mode.
func TestTortureEmbedded(t *testing.T) {
	bin, dir := stage(t)
	seed := rand.Uint64N(1_000_000)
	r, err := RunEmbedded(t, Options{
		Setup: Setup{Bin: bin, Programs: builds, Disks: seed%2 == 0, Dir: dir},
		Seed:  seed, Faults: 20 * time.Second, Rate: 60, Log: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	r.Write(&table)
	t.Logf("%s\n%s", r.Summary(), table.String())
	if len(r.Violations) > 0 || r.Accepted < 100 || r.FaultCount() < 5 {
		t.Errorf("seed %d: %d violations, %d jobs, %d faults", seed, len(r.Violations), r.Accepted, r.FaultCount())
	}
}
