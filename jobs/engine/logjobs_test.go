package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

// A bulk of 500 is one line, with few ids, unless LogJobs leaves it out.
func TestBulkIsReceivedInOneLine(t *testing.T) {
	for logJobs, want := range map[LogJobs]int{"": 1, LogAll: 1, LogFailures: 0, LogNone: 0} {
		s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		q := memory.New(memory.Options{})
		var log bytes.Buffer
		registry := &jobs.Registry{}
		jobs.Handle(registry, "email", func(context.Context, *jobs.Run, map[string]any) (any, error) { return nil, nil })
		c, err := NewClient(ClientOptions{Store: s, Queue: q, Bus: q, Registry: registry, LogJobs: logJobs,
			Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		list := make([]jobs.New, 500)
		for i := range list {
			list[i] = jobs.New{Type: "email", Payload: []byte(fmt.Sprintf(`{"n":%d}`, i))}
		}
		if _, err := c.Submit(t.Context(), jobs.Submission{Jobs: list}); err != nil {
			t.Fatal(err)
		}
		c.Close()
		text := log.String()
		if n := strings.Count(text, "\n"); n != want || len(text) > 500 ||
			want == 1 && (!strings.Contains(text, `msg="jobs received" jobs=500`) || strings.Count(text, "0") == 0) {
			t.Errorf("LogJobs %q: %d lines, want %d:\n%.1000s", logJobs, n, want, text)
		}
		q.Close()
		s.Close()
	}
}

// changes are lines that a worker writes about jobs, by whether they tell of an end without success.
func changes(w *Worker, r *run) {
	w.logChange(r, slog.LevelInfo, "job started")
	w.settled(r, store.Settled{Result: store.Recorded, Status: jobs.Completed}, r.startedAt)
}

func endedBadly(w *Worker, r *run) {
	r.outcome.Verb = store.VerbFail
	w.settled(r, store.Settled{Result: store.Recorded, Status: jobs.Failed, Kind: jobs.KindError}, r.startedAt)
	r.outcome.Verb = store.VerbComplete
}

func logged(logJobs LogJobs, out io.Writer) (*Worker, *run) {
	log := slog.New(slog.NewTextHandler(out, nil))
	w := &Worker{log: log, opts: WorkerOptions{LogJobs: logJobs}}
	r := &run{job: brief{ID: uuid.NewString(), Type: "email", Queue: "default", Attempts: 1}, session: "s"}
	r.outcome.Verb = store.VerbComplete
	return w, r
}

func TestLogJobsChoosesTheLines(t *testing.T) {
	for logJobs, want := range map[LogJobs]string{
		"":          "job started,job completed,job failed,job dead",
		LogAll:      "job started,job completed,job failed,job dead",
		LogFailures: "job failed,job dead",
		LogNone:     "",
	} {
		var out bytes.Buffer
		w, r := logged(logJobs, &out)
		changes(w, r)
		endedBadly(w, r)
		var got []string
		for line := range strings.Lines(out.String()) {
			_, rest, _ := strings.Cut(line, `msg="`)
			message, _, _ := strings.Cut(rest, `"`)
			got = append(got, message)
		}
		if text := strings.Join(got, ","); text != want {
			t.Errorf("LogJobs %q: %s, want %s", logJobs, text, want)
		}
	}
	if _, err := NewClient(ClientOptions{LogJobs: "some"}); err == nil || !strings.Contains(err.Error(), "LogJobs") {
		t.Errorf("an unknown value: %v", err)
	}
}

// A line that is left out costs no memory.
func TestLinesLeftOutAllocateNothing(t *testing.T) {
	for _, logJobs := range []LogJobs{LogFailures, LogNone} {
		w, r := logged(logJobs, io.Discard)
		if n := testing.AllocsPerRun(100, func() { changes(w, r) }); n != 0 {
			t.Errorf("LogJobs %q: %.0f allocations for lines that are left out", logJobs, n)
		}
	}
}
