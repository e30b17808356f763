package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal notes what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) has(line string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Contains(j.lines, line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, " ")
}

// part notes when it starts and when it stops, which takes it a while.
func (j *journal) part(p Part, takes time.Duration, err error) Part {
	p.Run = func(ctx context.Context) error {
		j.note("+" + p.Name)
		<-ctx.Done()
		time.Sleep(takes) // of the bubble's time
		j.note("-" + p.Name)
		return err
	}
	return p
}

func quiet(o Options) Options {
	o.Log = slog.New(slog.DiscardHandler)
	return o
}

// started runs parts in the background; the channel has Run's error.
func started(ctx context.Context, p *Process, parts ...Part) <-chan error {
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, parts...) }()
	synctest.Wait()
	return done
}

func TestRunStartsAndStopsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var tries atomic.Int32
		p := New(quiet(Options{ShutdownDelay: 5 * time.Second, Prepare: func(context.Context) error {
			if tries.Add(1) < 3 {
				return errors.New("not there yet")
			}
			j.note("prepared")
			return nil
		}}))
		ctx, cancel := context.WithCancel(t.Context())
		done := started(ctx, p,
			j.part(Part{Name: "worker"}, 3*time.Second, nil),
			j.part(Part{Name: "health", Early: true, Last: true}, 0, nil),
		)
		if p.State() != Starting || !errors.Is(p.Check(), ErrStarting) || j.String() != "+health" {
			t.Errorf("before Prepare succeeds: state %s, %v, journal %q", p.State(), p.Check(), &j)
		}
		time.Sleep(1999 * time.Millisecond)
		synctest.Wait()
		if n := tries.Load(); n != 2 {
			t.Errorf("Prepare was tried %d times within 2 s, want once a second", n)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if p.State() != Ready || p.Check() != nil || j.String() != "+health prepared +worker" {
			t.Errorf("after Prepare: state %s, %v, journal %q", p.State(), p.Check(), &j)
		}

		cancel()
		synctest.Wait()
		if !p.Draining() || !errors.Is(p.Check(), ErrDraining) {
			t.Errorf("after the end of ctx: state %s, %v", p.State(), p.Check())
		}
		time.Sleep(4999*time.Millisecond + 2999*time.Millisecond) // the delay and the worker's time, nearly
		synctest.Wait()
		if j.has("-worker") || j.has("-health") {
			t.Errorf("stopped too early: %q", &j)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if want := "+health prepared +worker -worker -health"; j.String() != want {
			t.Errorf("journal %q, want %q", &j, want)
		}
	})
}

func TestRunStopsPartsAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		ctx, cancel := context.WithCancel(t.Context())
		done := started(ctx, New(quiet(Options{})),
			j.part(Part{Name: "a"}, 3*time.Second, nil), j.part(Part{Name: "b", Early: true}, 2*time.Second, nil))
		begin := time.Now()
		cancel()
		if err := <-done; err != nil || time.Since(begin) != 3*time.Second {
			t.Errorf("Run: %v after %s, want nil after the 3 s of the slowest", err, time.Since(begin))
		}
	})
}

func TestRunStopsWhenAPartFails(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name  string
		part  Part
		err   error
		want  error
		ready bool
	}{
		{"with an error", Part{Name: "x"}, broken, broken, true},
		{"without an error", Part{Name: "x"}, nil, ErrEnded, true},
		{"one that is last", Part{Name: "x", Last: true}, broken, broken, true},
		{"while the process starts", Part{Name: "x", Early: true}, broken, broken, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				o := Options{ShutdownDelay: time.Hour}
				if !test.ready {
					o.Prepare = func(context.Context) error { return errors.New("not there yet") }
				}
				p := New(quiet(o))
				fail := make(chan struct{})
				test.part.Run = func(context.Context) error {
					<-fail
					return test.err
				}
				begin := time.Now()
				done := started(t.Context(), p, test.part, j.part(Part{Name: "other", Early: true}, time.Second, nil))
				close(fail)
				err := <-done
				if !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "x: ") {
					t.Errorf("Run: %v, want x: %v", err, test.want)
				}
				if j.String() != "+other -other" || time.Since(begin) != time.Second {
					t.Errorf("journal %q after %s: the other part is to be stopped at once and waited for", &j, time.Since(begin))
				}
				if !p.Draining() {
					t.Errorf("state %s at the end", p.State())
				}
			})
		})
	}
}

func TestRunFailureEndsTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		fail := make(chan struct{})
		done := started(ctx, New(quiet(Options{ShutdownDelay: time.Hour})), Part{Name: "x", Run: func(context.Context) error {
			<-fail
			return errors.New("broken")
		}})
		cancel()
		synctest.Wait()
		close(fail)
		begin := time.Now()
		if err := <-done; err == nil || time.Since(begin) != 0 {
			t.Errorf("Run: %v after %s", err, time.Since(begin))
		}
	})
}

func TestRunReturnsErrorsOfStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		one, two := errors.New("one"), errors.New("two")
		ctx, cancel := context.WithCancel(t.Context())
		done := started(ctx, New(quiet(Options{})),
			j.part(Part{Name: "a"}, 0, one), j.part(Part{Name: "b", Last: true}, 0, two), j.part(Part{Name: "c"}, 0, nil))
		cancel()
		if err := <-done; !errors.Is(err, one) || !errors.Is(err, two) {
			t.Errorf("Run: %v, want both errors", err)
		}
	})
}

func TestRunStopsWhileItStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		ctx, cancel := context.WithCancel(t.Context())
		p := New(quiet(Options{ShutdownDelay: time.Hour, Prepare: func(ctx context.Context) error {
			<-ctx.Done() // a database that does not answer
			return ctx.Err()
		}}))
		done := started(ctx, p, j.part(Part{Name: "worker"}, 0, nil), j.part(Part{Name: "api", Early: true}, 0, nil))
		cancel()
		begin := time.Now()
		if err := <-done; err != nil || time.Since(begin) != 0 {
			t.Errorf("Run: %v after %s, want nil at once", err, time.Since(begin))
		}
		if j.String() != "+api -api" || !p.Draining() {
			t.Errorf("journal %q, state %s", &j, p.State())
		}
	})
}

// deniedError is an error of Prepare that does not go away.
type deniedError struct{}

func (deniedError) Error() string   { return "permission denied" }
func (deniedError) Permanent() bool { return true }

func TestPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var out bytes.Buffer
		denied := fmt.Errorf("migrate: %w", deniedError{})
		errs := slices.Repeat([]error{errors.New("refused"), errors.New("starting up")}, 7) // for 14 s
		errs = append(errs, denied)
		p := New(Options{
			Log: slog.New(slog.NewTextHandler(&out, nil)), Waiting: "waiting for the database",
			Prepare: func(context.Context) error {
				err := errs[0]
				errs = errs[1:]
				return err
			},
		})
		err := <-started(t.Context(), p, j.part(Part{Name: "worker"}, 0, nil), j.part(Part{Name: "api", Early: true}, 0, nil))
		if !errors.Is(err, denied) || j.String() != "+api -api" {
			t.Errorf("Run: %v, journal %q; want the permanent error and that the worker never started", err, &j)
		}
		if n := strings.Count(out.String(), "waiting for the database"); n != 2 {
			t.Errorf("logged %d warnings, want one at the start and one 10 s later:\n%s", n, &out)
		}
	})
}

func TestRunTwice(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := New(quiet(Options{}))
	if err := p.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := p.Run(ctx); err == nil {
		t.Error("a second Run succeeded")
	}
}

// listen returns a listener, and the URL for it.
func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, "http://" + l.Addr().String()
}

// slow is a handler that tells when a request has come, and answers when it is let go.
func slow() (handler http.HandlerFunc, arrived, release chan struct{}) {
	arrived, release = make(chan struct{}), make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-release:
			_, _ = io.WriteString(w, "late but whole")
		case <-r.Context().Done(): // cut off
		}
	}, arrived, release
}

// ask sends a request in the background.
func ask(url string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get(url)
		if err != nil {
			answer <- "error: " + err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	return answer
}

func TestServerAnswersWhatIsUnderWay(t *testing.T) {
	listener, url := listen(t)
	handler, arrived, release := slow()
	part := Server("api", &http.Server{Handler: handler}, listener, time.Minute, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- part.Run(ctx) }()
	answer := ask(url)
	<-arrived
	cancel()
	for { // until the port is closed
		c, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	close(release)
	if got := <-answer; got != "late but whole" {
		t.Errorf("the answer is %q", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestServerCutsOffAfterItsTimeout(t *testing.T) {
	listener, url := listen(t)
	handler, arrived, _ := slow()
	var out bytes.Buffer
	part := Server("api", &http.Server{Handler: handler}, listener, 0, slog.New(slog.NewTextHandler(&out, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- part.Run(ctx) }()
	answer := ask(url)
	<-arrived
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := <-answer; !strings.HasPrefix(got, "error: ") {
		t.Errorf("the answer is %q, want that the connection was closed", got)
	}
	if !strings.Contains(out.String(), "requests cut off") {
		t.Errorf("logged %q", &out)
	}
}

func TestServerFails(t *testing.T) {
	listener, _ := listen(t)
	listener.Close()
	part := Server("api", &http.Server{}, listener, time.Second, slog.New(slog.DiscardHandler))
	if err := part.Run(t.Context()); err == nil {
		t.Error("it served on a listener that is closed")
	}
}
