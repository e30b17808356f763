package pipeline

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The api under requests that want all its memory, with the limits of docker-compose.yml: a container of 256 MiB and
// GOMEMLIMIT=200MiB. Whatever comes, it stays within its container, answers its health checks, and goes on taking
// ordinary jobs.
func TestHeavyBodies_StayWithinTheMemoryLimit(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	const container = 256 << 20
	long := strings.Repeat("a few words of text ", 800)
	var values strings.Builder
	for i := range 470 {
		fmt.Fprintf(&values, `,"key%03d":"some value %012d"`, i, i)
	}
	for _, c := range []struct {
		name, body string
		stalled    bool
		answers    []int
	}{
		{"16 MB of text", bulk(1000, `"x":"`+long+`"`), false, []int{201, 503}},
		{"16 MB of small values", bulk(1000, `"x":1`+values.String()), false, []int{201, 503}},
		{"more values than are allowed", bulk(800, `"x":[1`+strings.Repeat(",1", 9000)+`]`), false, []int{422, 503}},
		{"16 MB, held one byte short", bulk(1000, `"x":"`+long+`"`), true, []int{408, 503}},
		{"0.5 MB that grows when numbers are written out", bulk(1000, `"x":[1`+strings.Repeat(",1e308", 80)+`]`), false,
			[]int{422, 503}},
		{"5 MB that grows when numbers are written out", bulk(1000, `"x":[1`+strings.Repeat(",1e308", 800)+`]`), false,
			[]int{422, 503}},
		{"numbers that are written out within the limit", bulk(1000, `"x":[1`+strings.Repeat(",1e308", 13)+`]`), false,
			[]int{201, 503}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := deployPlain(t, "GOMEMLIMIT=200MiB", "LOG_LEVEL=warn")
			before := number(t, d.get("/metrics")["total_jobs"])
			over := make(chan struct{})
			var beside sync.WaitGroup
			var alive []time.Duration
			small, refused := 0, 0
			beside.Go(func() {
				for !closed(over) {
					begin := time.Now()
					if r := d.call("GET", "/livez", ""); r.err != nil || r.code != 200 {
						t.Errorf("/livez: %d %v", r.code, r.err)
					}
					alive = append(alive, time.Since(begin))
					<-time.After(20 * time.Millisecond)
				}
			})
			beside.Go(func() {
				for !closed(over) {
					switch r := d.call("POST", "/jobs", `{"type":"email","delay_seconds":3600}`); r.code {
					case 201:
						small++
					default:
						refused++
						t.Errorf("a small job: %d %v %v", r.code, r.body, r.err)
					}
					<-time.After(20 * time.Millisecond)
				}
			})
			var heavy sync.WaitGroup
			answers := make([]answer, 50)
			begin := time.Now()
			for i := range answers {
				heavy.Go(func() { answers[i] = d.heavy(c.body, c.stalled) })
			}
			heavy.Wait()
			took := time.Since(begin)
			close(over)
			beside.Wait()

			peak := peakMemory(t, d.apiProc.cmd.Process.Pid)
			slices.Sort(alive)
			p90 := alive[len(alive)*9/10]
			count, unknown := map[int]int{}, 0
			for _, r := range answers {
				count[r.code]++
				switch {
				case r.err != nil:
					t.Errorf("no answer: %v", r.err)
				case !slices.Contains(c.answers, r.code):
					t.Errorf("%d %v", r.code, r.body)
				case r.code == 503 && r.header.Get("Retry-After") == "":
					t.Errorf("503 without Retry-After: %v %v", r.header, r.body)
				case r.code == 503 && r.body["type"] != "urn:windlass:problem:busy":
					unknown++ // the store took more than its 4.5 s, on a slow machine
				}
			}
			if slices.Contains(c.answers, 201) && count[201] == 0 {
				t.Error("none of them was served")
			}
			if unknown > 5 {
				t.Errorf("%d requests without an outcome", unknown)
			}
			t.Logf("%d KB: %v in %s; peak %d MiB; /livez p50 %s, p90 %s, max %s; %d small jobs", len(c.body)>>10, count,
				took.Round(time.Millisecond), peak>>20, alive[len(alive)/2], p90, alive[len(alive)-1], small)
			if peak >= container {
				t.Errorf("the peak of memory is %d MiB, the container's limit %d MiB", peak>>20, container>>20)
			}
			if p90 > 500*time.Millisecond {
				t.Errorf("/livez takes %s (p90)", p90)
			}
			if total := number(t, d.get("/metrics")["total_jobs"]); total < before || refused > 0 {
				t.Errorf("%d jobs after %d; %d small ones refused", total, before, refused)
			}
		})
	}
}

// bulk is the body of POST /jobs/bulk with n jobs. Their payloads have the members.
func bulk(n int, members string) string {
	item := `{"type":"email","delay_seconds":3600,"payload":{` + members + `}}`
	return `{"jobs":[` + strings.Repeat(item+",", n-1) + item + `]}`
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// heavy sends a bulk over a connection of its own and reads the answer while it sends. A stalled one never sends its
// last byte.
func (a *api) heavy(body string, stalled bool) answer {
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.base, "http://"))
	if err != nil {
		return answer{err: err}
	}
	defer conn.Close()
	go func() {
		fmt.Fprintf(conn, "POST /jobs/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\nConnection: close\r\n\r\n", len(body))
		if stalled {
			body = body[:len(body)-1]
		}
		_, _ = io.WriteString(conn, body) // an early answer may end the connection
	}()
	_ = conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	out := answer{code: resp.StatusCode, header: resp.Header}
	if resp.StatusCode >= 400 {
		raw, err := io.ReadAll(resp.Body)
		out.body, out.err = map[string]any{"text": string(raw)}, err
		if kind, ok := strings.CutPrefix(string(raw), `{"type":"`); ok {
			out.body["type"], _, _ = strings.Cut(kind, `"`)
		}
		return out
	}
	_, out.err = io.Copy(io.Discard, resp.Body)
	return out
}

// peakMemory is the most that a process has had in memory, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if size, ok := strings.CutPrefix(string(line), "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(size), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// plainAPI builds the api without the race detector, which takes memory of its own.
var plainAPI = sync.OnceValues(func() (string, error) {
	path := filepath.Join(bin, "api-plain")
	out, err := exec.Command("go", "build", "-o", path, "../../services/api").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return "api-plain", nil
})

// deployPlain is deploy with that api.
func deployPlain(t *testing.T, env ...string) *deployment {
	t.Helper()
	program, err := plainAPI()
	if err != nil {
		t.Fatal(err)
	}
	return deployProgram(t, program, env...)
}
