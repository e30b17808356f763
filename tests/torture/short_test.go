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
	// Most tests here only wait, so more of them can run in parallel than there are cores; slots limits their number.
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(8, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	code := m.Run()
	servers.StopShared()
	// A link that is closed while toxiproxy holds its data may leak a goroutine of toxiproxy. We look for our own leaks.
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

// scratch is the folder of programs, logs and histories. It is kept if a test fails.
var scratch string

// programs builds the programs once for all tests, and returns their folder.
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

// folder makes a new folder for the logs and histories of a test.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, strings.ReplaceAll(t.Name(), "/", "-")+"-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // servers that run as another user have files in it
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// slots limits how many slow tests run at once.
var slots = make(chan struct{}, 6)

// startSlowTest waits for a free slot, and returns the folder of the programs and a new folder for the test.
func startSlowTest(t *testing.T) (bin, dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes some seconds, or half a minute")
	}
	t.Parallel()
	bin = programs(t)
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	return bin, folder(t)
}

// builds has no movable clocks, because these take another minute to build.
var builds = Programs{Race: true, Faults: true}

var built struct {
	once sync.Once
	dir  string
	err  error
}

// TestTorture does a short run with a new seed each time. `make torture` does a long one.
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
		t.Errorf("seed %d: %d violations; repeat with make torture SEED=%d", seed, len(r.Violations), seed)
	}
	if r.Accepted < 200 || r.FaultCount() < 15 {
		t.Errorf("seed %d: only %d jobs and %d faults", seed, r.Accepted, r.FaultCount())
	}
}

// TestTortureEmbedded does a short run of the one-process mode.
func TestTortureEmbedded(t *testing.T) {
	bin, dir := startSlowTest(t)
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
