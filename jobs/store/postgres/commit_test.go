package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// cutAtCommit makes the server end the session that next commits a change of a job, at that commit. The rows of its
// statement have been sent by then, and the change is rolled back.
const cutAtCommit = `
	CREATE SEQUENCE public.once;
	CREATE FUNCTION public.cut() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('public.once') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
		RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER cut AFTER UPDATE ON windlass.jobs DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION public.cut()`

// A claim whose session ends at the commit must not return a job twice: from the transaction that was rolled back, and
// from the second try. The torture found this with seed 1: a job ran twice with one fence.
func TestClaimCutOffAtItsCommit(t *testing.T) {
	s := open(t)
	ids, worker := submit(t, s, 3), session(t, s)
	exec(t, s, cutAtCommit)
	want := store.Claim{Session: worker, Types: []string{"email"}, IDs: ids}
	got, err := s.Claim(t.Context(), want)
	if n := value[int64](t, s, `SELECT last_value FROM public.once`); n == 0 {
		t.Fatal("the session was not cut off: the test did not hit")
	}
	if err != nil {
		if !errors.Is(err, jobs.ErrUnavailable) || len(got.Jobs) > 0 {
			t.Fatalf("claim: %d jobs, error %v, want none and ErrUnavailable", len(got.Jobs), err)
		}
		if got, err = s.Claim(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, j := range got.Jobs {
		if seen[j.ID] || j.Fence != 1 {
			t.Errorf("job %s with fence %d was handed out twice, or after a claim that was rolled back", j.ID, j.Fence)
		}
		seen[j.ID] = true
	}
	if len(seen) != len(ids) {
		t.Errorf("%d jobs of %d", len(seen), len(ids))
	}
}

// Rows that were read before the session ended are not counted twice either.
func TestReapCutOffAtItsCommit(t *testing.T) {
	s := open(t)
	worker := session(t, s)
	claim(t, s, worker, submit(t, s, 3)...)
	if _, err := s.Heartbeat(t.Context(), store.Heartbeat{Session: worker, State: store.SessionDead}); err != nil {
		t.Fatal(err)
	}
	exec(t, s, cutAtCommit)
	reaped, err := s.Reap(t.Context(), time.Now(), 100)
	if err != nil {
		if !errors.Is(err, jobs.ErrUnavailable) {
			t.Fatal(err)
		}
		if reaped, err = s.Reap(t.Context(), time.Now(), 100); err != nil {
			t.Fatal(err)
		}
	}
	if len(reaped) != 3 {
		t.Errorf("%d jobs were told to be taken back, of 3", len(reaped))
	}
}
