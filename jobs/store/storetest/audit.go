package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var auditing = area{name: "Audit", cases: []behaviour{
	{"EmptyStoreIsSound", auditEmpty},
	{"StatesAddUpToTheRows", auditStates},
	{"RowsDeletedByHandAreFound", auditDeleted},
	{"RowsMadeByHandAreFound", auditMade},
	{"BrokenRowsAreNamed", auditBroken},
	{"KeysOfDeletedJobsStay", auditKeys},
	{"OrphansAreLeftToTheReaper", auditOrphans},
	{"SessionsAndRolesAreNamed", auditSessions},
	{"ServerIsLookedAt", auditServer},
	{"RepairBesideSettlesCountsRight", auditRace},
	{"ConcurrentRepairsAddOnce", auditTwice},
	{"RecountInStepsFindsWhatWasDeletedByHand", recountDeleted},
	{"RecountBesideSettlesIsExactOrDisturbed", recountRace},
	{"RecountOfJobsFromAFastClockIsDisturbed", recountFastClock},
}}

// audit counts, and checks what must hold of any Store: each row is in one state.
func (f *fixture) audit() store.Audit {
	f.Helper()
	a, err := f.store.(store.Auditor).Audit(f.Context())
	f.check(err, "audit")
	sum := int64(0)
	for _, n := range a.States {
		sum += n
	}
	if len(a.Broken) == 0 {
		is(f, "sum of the states", sum, a.Rows)
	}
	return a
}

func (f *fixture) repair() store.Repaired {
	f.Helper()
	r, err := f.store.(store.Auditor).Repair(f.Context())
	f.check(err, "repair")
	return r
}

// sound checks that nothing is wrong.
func (f *fixture) sound(what string) {
	f.Helper()
	a := f.audit()
	if off := wrong(a); len(off) > 0 || a.LostAttempts != 0 || len(a.Broken) != 0 {
		f.Errorf("%s: counts %+v, lost attempts %d, broken rows %+v", what, off, a.LostAttempts, a.Broken)
	}
	is(f, what+": total of Stats", f.stats().Total, a.Rows)
}

// wrong are the kept numbers that are not those of the rows.
func wrong(a store.Audit) []store.Kept {
	return slices.DeleteFunc(slices.Clone(a.Kept), func(k store.Kept) bool { return k.Kept == k.Counted })
}

func auditEmpty(f *fixture) {
	f.sound("empty")
	is(f, "repaired", jsonOf(f.repair()), jsonOf(store.Repaired{}))
	is(f, "rows", f.audit().Rows, 0)
}

func auditStates(f *fixture) {
	populate(f)
	f.sound("every state")
	a, s := f.audit(), f.stats()
	for state, want := range map[jobs.State]int64{
		jobs.StateScheduled: s.Scheduled, jobs.StateRetrying: s.Retrying, jobs.StateRunning: s.Processing,
		jobs.StateCompleted: s.Completed, jobs.StateDead: s.Dead, jobs.StateCancelled: s.Cancelled,
	} {
		is(f, string(state), a.States[state], want)
		is(f, string(state)+" is there", want > 0, true)
	}
	is(f, "waiting is there", a.States[jobs.StateWaiting] > 0, true)
	is(f, "repaired", jsonOf(f.repair()), jsonOf(store.Repaired{}))
	f.between("at", a.At, f.now().Add(-time.Minute), f.now())
}

func auditDeleted(f *fixture) {
	session := f.worker()
	kept, gone := f.completed(session), f.running(session)
	f.record(outcome(gone, store.VerbRetry))
	f.age(time.Hour)
	f.record(outcome(f.take(session, gone.ID), store.VerbComplete))
	f.sound("before")
	f.harness.Exec(f.T, f.store, `DELETE FROM windlass.jobs WHERE id = '`+gone.ID+`'`)
	a := f.audit()
	is(f, "wrong", jsonOf(wrong(a)), jsonOf([]store.Kept{{State: jobs.StateCompleted, Kept: 2, Counted: 1}}))
	is(f, "lost attempts", a.LostAttempts, 1)
	r := f.repair()
	is(f, "recounted", jsonOf(r.Recounted), jsonOf(wrong(a)))
	is(f, "attempts deleted", r.Attempts, 1)
	f.sound("after")
	is(f, "completed", f.stats().Completed, 1)
	f.check(f.store.Delete(f.Context(), kept.ID), "delete")
	f.sound("after a deletion in order")
	is(f, "repaired again", jsonOf(f.repair()), jsonOf(store.Repaired{}))
}

func auditMade(f *fixture) {
	j := f.running(f.worker())
	f.harness.Exec(f.T, f.store, `UPDATE windlass.jobs SET status = 'completed', finished_at = created_at, deadline_at = NULL WHERE id = '`+j.ID+`'`)
	is(f, "wrong", jsonOf(wrong(f.audit())), jsonOf([]store.Kept{{State: jobs.StateCompleted, Kept: 0, Counted: 1}}))
	is(f, "recounted", len(f.repair().Recounted), 1)
	f.sound("after")
	is(f, "completed in the last minute", f.stats().CompletedLastMinute, 0)
}

func auditBroken(f *fixture) {
	session := f.worker()
	pending, running, done := f.submit(), f.running(session), f.completed(session)
	for i, sql := range []string{
		`UPDATE windlass.jobs SET finished_at = created_at WHERE id = '` + pending.ID + `'`,
		`UPDATE windlass.jobs SET worker_id = NULL WHERE id = '` + running.ID + `'`,
		`UPDATE windlass.jobs SET deadline_at = created_at WHERE id = '` + done.ID + `'`,
	} {
		f.harness.Exec(f.T, f.store, sql)
		a := f.audit()
		is(f, sql, len(a.Broken), i+1)
	}
	named := ""
	for _, b := range f.audit().Broken {
		is(f, "rows", b.Rows, 1)
		named += fmt.Sprint(b.IDs)
	}
	is(f, "named", named, fmt.Sprintf("[%s][%s][%s]", pending.ID, running.ID, done.ID))
}

func auditKeys(f *fixture) {
	session := f.worker()
	first := f.send(keyed("k", 1))[0].Jobs[0]
	f.record(outcome(f.take(session, first.ID), store.VerbComplete))
	f.check(f.store.Delete(f.Context(), first.ID), "delete")
	is(f, "spent keys", f.audit().SpentKeys, 1)
	is(f, "keys deleted", f.repair().Keys, 0)
	f.wants(f.send(keyed("k", 1))[0].Err, jobs.ErrKeyGone, "the same submission, which must not run again")
	f.age(25 * time.Hour)
	is(f, "spent keys", f.audit().SpentKeys, 0)
	is(f, "expired keys", f.audit().ExpiredKeys, 1)
	is(f, "keys deleted", f.repair().Keys, 1)
	is(f, "expired keys", f.audit().ExpiredKeys, 0)
}

func auditOrphans(f *fixture) {
	dead, missing, alive := f.worker(), f.worker(), f.worker()
	f.running(dead)
	f.running(alive)
	j := f.running(missing)
	f.die(dead)
	f.harness.Exec(f.T, f.store, `DELETE FROM windlass.worker_sessions WHERE id = '`+missing+`'`)
	is(f, "orphans", f.audit().Orphans, 2)
	f.repair()
	is(f, "orphans after the repair", f.audit().Orphans, 2)
	is(f, "status", f.get(j.ID).Status, jobs.Processing)
	_, err := f.store.Reap(f.Context(), f.now(), 10)
	f.check(err, "reap")
	is(f, "orphans after the reaper", f.audit().Orphans, 0)
}

func auditSessions(f *fixture) {
	long, short := f.worker(), f.workerFor(time.Minute)
	_, err := f.store.Lead(f.Context(), "maintenance", "somebody", time.Hour)
	f.check(err, "lead")
	f.age(2 * time.Minute)
	a := f.audit()
	is(f, "sessions", len(a.Sessions), 2)
	is(f, "first", a.Sessions[0].ID, long)
	is(f, "second", a.Sessions[1].ID, short)
	is(f, "expired", a.Expired, 1)
	is(f, "roles", len(a.Roles), 1)
	is(f, "role", a.Roles[0].Name+" "+a.Roles[0].Holder, "maintenance somebody")
	is(f, "role is held", a.Roles[0].ExpiresAt.After(a.At), true)
}

func auditServer(f *fixture) {
	a := f.audit()
	is(f, "settings are there", len(a.Settings) > 2, true)
	for _, s := range a.Settings {
		is(f, s.Name+" has a value", s.Value != "", true)
		is(f, s.Name+" has advice where it hurts", s.Advice != "", s.Grade != store.GradeOK)
	}
	is(f, "clocks of one machine agree", max(a.ClockAhead, -a.ClockAhead) < a.Uncertain+time.Second, true)
}

// auditRace has workers settle and delete while others repair. A count that was taken before a settlement, and written
// after it, would lose that settlement.
func auditRace(f *fixture) {
	session := f.worker()
	gone := f.completed(session)
	var running []jobs.Job
	for _, j := range f.submitMany(300) {
		running = append(running, f.take(session, j.ID))
	}
	peers := f.peers()
	f.harness.Exec(f.T, f.store, `DELETE FROM windlass.jobs WHERE id = '`+gone.ID+`'`)
	var workers, repairers sync.WaitGroup
	done := make(chan struct{})
	for part := range slices.Chunk(running, 100) {
		workers.Go(func() {
			for i, j := range part {
				if _, err := peers[i%2].Settle(f.Context(), []store.Outcome{outcome(j, store.VerbComplete)}); err != nil {
					f.Errorf("settle: %v", err)
				}
				if i%3 == 0 {
					if err := peers[i%2].Delete(f.Context(), j.ID); err != nil {
						f.Errorf("delete: %v", err)
					}
				}
			}
		})
	}
	repairs := [2]int{}
	for n := range peers {
		repairers.Go(func() {
			for {
				r, err := peers[n].(store.Auditor).Repair(f.Context())
				if err != nil {
					f.Errorf("repair: %v", err)
					return
				}
				repairs[n] += len(r.Recounted)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	workers.Wait()
	close(done)
	repairers.Wait()
	is(f, "differences found", repairs[0]+repairs[1], 1)
	f.sound("after the race")
	is(f, "completed", f.stats().Completed, 300-3*34)
}

// auditTwice has several repair the same difference.
func auditTwice(f *fixture) {
	session, peers := f.worker(), f.peers()
	for round := range 8 {
		gone := f.completed(session)
		f.completed(session)
		f.harness.Exec(f.T, f.store, `DELETE FROM windlass.jobs WHERE id = '`+gone.ID+`'`)
		var repairers sync.WaitGroup
		var found [4]int
		begin := make(chan struct{})
		for n := range found {
			repairers.Go(func() {
				<-begin
				r, err := peers[n%2].(store.Auditor).Repair(f.Context())
				if err != nil {
					f.Errorf("repair: %v", err)
				}
				found[n] = len(r.Recounted)
			})
		}
		close(begin)
		repairers.Wait()
		is(f, fmt.Sprintf("differences found by %v", found), found[0]+found[1]+found[2]+found[3], 1)
		is(f, "completed", f.stats().Completed, int64(round+1))
	}
}

// recount goes on until the recount is done or disturbed. step is called before each step.
func (f *fixture) recount(limit int, step func()) (r store.Recount) {
	f.Helper()
	r.Limit = limit
	goesOn := func() bool { return r.State == store.RecountGoesOn || r.State == store.RecountWaits }
	for until := time.Now().Add(time.Minute); goesOn() && time.Now().Before(until); {
		step()
		var err error
		r, err = f.store.(store.Recounter).Recount(f.Context(), r)
		f.check(err, "recount")
		time.Sleep(time.Millisecond) // it may wait for the Store's clock
	}
	return r
}

func recountDeleted(f *fixture) {
	session := f.worker()
	for range 7 {
		f.completed(session)
	}
	gone := [2]jobs.Job{f.completed(session), f.completed(session)}
	running := f.submitMany(6)
	steps := 0
	r := f.recount(2, func() {
		if steps++; steps == 3 {
			for _, j := range gone {
				f.harness.Exec(f.T, f.store, `DELETE FROM windlass.jobs WHERE id = '`+j.ID+`'`)
			}
		}
		if steps > 3 && len(running) > 0 { // completed in the midst: it is not counted, and does not disturb
			f.record(outcome(f.take(session, running[0].ID), store.VerbComplete))
			running = running[1:]
		}
	})
	is(f, "state", r.State, store.RecountDone)
	if len(r.Recounted) != 1 || r.Recounted[0].State != jobs.StateCompleted ||
		r.Recounted[0].Kept-r.Recounted[0].Counted != 2 {
		f.Errorf("recounted: %+v, want two completed jobs less", r.Recounted)
	}
	f.sound("after the recount")
	for range running {
		f.record(outcome(f.take(session, running[0].ID), store.VerbComplete))
		running = running[1:]
	}
	s := f.stats()
	is(f, "completed", s.Completed, 13)
	is(f, "ever completed", s.Ended.Completed, 15)
	is(f, "recounted in sum", s.Recounted, 2)
}

// recountFastClock has jobs that were completed in an hour, as an import from a computer whose clock is ahead brings
// them.
func recountFastClock(f *fixture) {
	session := f.worker()
	for range 3 {
		f.completed(session)
	}
	f.submit(func(n *jobs.New) { n.Delay = time.Hour })
	f.harness.Exec(f.T, f.store, `UPDATE windlass.jobs SET finished_at = (SELECT max(j.run_at) FROM windlass.jobs j)
		WHERE status = 'completed'`)
	r := f.recount(2, func() {})
	is(f, "state", r.State, store.RecountDisturbed)
	is(f, "recounted", len(r.Recounted), 0)
	is(f, "completed", f.stats().Completed, 3)
}

// recountRace recounts again and again while jobs end and are deleted in order. No number may ever be corrected.
func recountRace(f *fixture) {
	session, peers := f.worker(), f.peers()
	all := f.submitMany(200)
	done, deleted := f.claim(session, ids(all)...), 0
	n := 0
	r := f.recount(20, func() {
		if n < len(done.Jobs) {
			f.record(outcome(done.Jobs[n], store.VerbComplete))
		}
		if n++; n%5 == 0 && n < len(done.Jobs) {
			f.check(peers[1].Delete(f.Context(), done.Jobs[n-1].ID), "delete")
			deleted++
		}
	})
	is(f, "state of a recount beside deletions", r.State, store.RecountDisturbed)
	is(f, "recounted", len(r.Recounted), 0)
	f.sound("after the disturbed recount")
	var others sync.WaitGroup
	stop := make(chan struct{})
	others.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			j, peer := job(), peers[i%2]
			_, err := peer.Insert(f.Context(), []jobs.Submission{{Jobs: []jobs.New{j}}})
			c, err2 := peer.Claim(f.Context(), store.Claim{Session: session, Types: []string{j.Type}, IDs: []string{j.ID}})
			if err = errors.Join(err, err2); err != nil || len(c.Jobs) != 1 {
				f.Errorf("claimed %d: %v", len(c.Jobs), err)
				return
			}
			if _, err := peer.Settle(f.Context(), []store.Outcome{outcome(c.Jobs[0], store.VerbComplete)}); err != nil {
				f.Errorf("settle: %v", err)
			}
		}
	})
	r = f.recount(20, func() {})
	close(stop)
	others.Wait()
	is(f, "state of a recount beside settles", r.State, store.RecountDone)
	is(f, "recounted", len(r.Recounted), 0)
	f.sound("after the recount")
}
