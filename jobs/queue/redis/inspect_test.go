package redis_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/tests/servers"
)

func TestList(t *testing.T) {
	q := open(t, servers.Redis(t), "test", 1000)
	if hints, err := q.List(t.Context(), 100); err != nil || len(hints) != 0 {
		t.Fatalf("empty: %v, error %v", hints, err)
	}
	at := time.UnixMilli(1_800_000_000_123).UTC()
	want := []jobs.Hint{
		{ID: "a", Queue: "one", Priority: 3, RunAt: at},
		{ID: "b", Queue: "one", Priority: -10, RunAt: at, Suspect: true},
		{ID: "c", Queue: "two", Priority: 10, RunAt: at},
		{ID: "d", Queue: "two", RunAt: at, Suspect: true},
	}
	pushed := slices.Clone(want)
	pushed[2].In, pushed[3].In = time.Hour, time.Hour
	if _, err := q.Push(t.Context(), pushed); err != nil {
		t.Fatal(err)
	}
	got, err := q.List(t.Context(), 100)
	slices.SortFunc(got, func(a, b jobs.Hint) int { return int(a.ID[0]) - int(b.ID[0]) })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, error %v\nwant %+v", got, err, want)
	}
	d, err := q.Depths(t.Context(), []string{"one", "two"})
	if err != nil || d.Queues["one"].Ready != 1 || d.Queues["two"].Later != 2 {
		t.Errorf("it has changed what is held: %+v, error %v", d, err)
	}

	// However much there is, it brings what it was asked for.
	var many []jobs.Hint
	for i := range 1000 {
		many = append(many, jobs.Hint{ID: fmt.Sprint("many", i), Queue: fmt.Sprint("queue", i%300), RunAt: at})
	}
	if _, err := q.Push(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	if got, err := q.List(t.Context(), 50); err != nil || len(got) != 50 {
		t.Errorf("%d hints, error %v", len(got), err)
	}
}

func TestInspect(t *testing.T) {
	server := servers.StartRedis(t)
	q := open(t, server.URL, "test", 1000)
	for _, installation := range []string{"here", "there"} {
		if _, err := q.Register(t.Context(), installation); err != nil {
			t.Fatal(err)
		}
	}
	found, err := q.Inspect(t.Context())
	if err != nil || found.Version == "" || found.RoundTrip <= 0 || found.Warning != "" || len(found.Installations) != 2 {
		t.Errorf("%+v, error %v", found, err)
	}
	if d := found.ClockAhead; d > found.RoundTrip+time.Second || d < -found.RoundTrip-time.Second {
		t.Errorf("the clock of this machine differs by %s from itself", d)
	}
	server.Kill()
	if _, err := q.Inspect(t.Context()); err == nil {
		t.Error("no error without a server")
	}
}
