package storecmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Check is one thing that the doctor has looked at.
type Check struct {
	Name   string      `json:"name"`
	Result store.Grade `json:"result"`
	Detail string      `json:"detail"`           // what was found
	Advice string      `json:"advice,omitempty"` // what to do about it; empty where the result is ok
}

// Report is what the doctor has found.
type Report struct {
	OK       bool      `json:"ok"` // no check has failed; there may be warnings
	Store    string    `json:"store"`
	At       time.Time `json:"at"`
	Accounts Accounts  `json:"accounts"`
	Checks   []Check   `json:"checks"`
	Repaired []string  `json:"repaired,omitempty"` // what was changed, a sentence each
}

// Accounts are the jobs by state. No counter of accepted jobs is kept: Rows is the sum of all states where none is lost
// in between.
type Accounts struct {
	States  []Account `json:"states"`
	Rows    int64     `json:"rows"`
	Deleted *int64    `json:"deleted"` // completed jobs that were deleted; null where the store does not keep that
}

// Account is one state.
type Account struct {
	State   jobs.State `json:"state"`
	Counted int64      `json:"counted"`
	Kept    *int64     `json:"kept"` // null: it is counted whenever somebody asks
}

// states is the order of the accounts. Jobs that are asked to stop are among the running ones.
var states = []jobs.State{
	jobs.StateWaiting, jobs.StateScheduled, jobs.StateRetrying, jobs.StateRunning, jobs.StateCompleted, jobs.StateDead,
	jobs.StateCancelled,
}

// Doctor looks at the store and the queue that the environment names. With repair it first recounts and cleans. note
// tells what takes long.
func Doctor(ctx context.Context, getenv func(string) string, repair bool, note func(string)) (*Report, error) {
	s, err := open(ctx, getenv, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r := &Report{Store: s.name}
	if err := r.migrations(ctx, s); err != nil {
		return nil, err
	}
	if repair {
		note("recounting all rows")
		done, err := s.store.Repair(ctx)
		if err != nil {
			return nil, err
		}
		r.repaired(done)
	}
	note("counting all rows")
	audit, err := s.store.Audit(ctx)
	switch {
	case err == nil:
		r.audit(audit)
		r.tokens(ctx, s)
	case errors.Is(err, jobs.ErrUnavailable) && r.sound():
		return nil, err
	default:
		r.add("rows", store.GradeFail, "the rows cannot be counted: "+err.Error(), "Bring the tables up to date first.")
	}
	if s.driver == "postgresql" {
		r.redis(ctx, s, getenv("REDIS_URL")+getenv("REDIS_URL_FILE") != "")
	}
	r.OK = r.sound()
	return r, nil
}

func (r *Report) sound() bool {
	return !slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Result == store.GradeFail })
}

// add notes a check. The advice is dropped where there is nothing to do.
func (r *Report) add(name string, result store.Grade, detail, advice string) {
	if result == store.GradeOK {
		advice = ""
	}
	r.Checks = append(r.Checks, Check{name, result, detail, advice})
}

// grade is bad where something is wrong.
func grade(wrong bool, bad store.Grade) store.Grade {
	if wrong {
		return bad
	}
	return store.GradeOK
}

func (r *Report) migrations(ctx context.Context, s *opened) error {
	m, err := s.store.Status(ctx)
	if err != nil {
		return err
	}
	applied := int64(0)
	for _, a := range m.Applied {
		applied = max(applied, a.Version)
	}
	var pending, gaps []string
	for _, p := range m.Pending {
		if p.Version < applied {
			gaps = append(gaps, p.Name)
		}
		pending = append(pending, p.Name)
	}
	for v := m.Newest + 1; v < applied; v++ { // of a newer program, so the name is not known
		if !slices.ContainsFunc(m.Applied, func(a store.Migration) bool { return a.Version == v }) {
			gaps = append(gaps, fmt.Sprintf("%04d", v))
		}
	}
	switch {
	case len(gaps) > 0:
		r.add("migrations", store.GradeFail, fmt.Sprintf("%s missing, and later ones are applied", strings.Join(gaps, ", ")),
			"Somebody has changed the table of versions: restore its rows from a backup, do not migrate.")
	case len(pending) > 0:
		r.add("migrations", store.GradeFail, strings.Join(pending, ", ")+" pending",
			"Run windlass migrate up. If it says that objects are there already, the table of versions has lost rows.")
	case applied > m.Newest:
		r.add("migrations", store.GradeWarn, fmt.Sprintf("version %d, and this program knows %d", applied, m.Newest),
			"A newer version of Windlass has migrated: use its windlass doctor.")
	default:
		r.add("migrations", store.GradeOK, fmt.Sprintf("version %d, all applied", applied), "")
	}
	return nil
}

func (r *Report) repaired(done store.Repaired) {
	say := func(format string, args ...any) { r.Repaired = append(r.Repaired, fmt.Sprintf(format, args...)) }
	for _, k := range done.Recounted {
		say("The kept count of %s jobs was %d and is %d now.", k.State, k.Kept, k.Counted)
	}
	if done.Attempts > 0 {
		say("%d %s of jobs that are gone %s deleted.", done.Attempts, plural(done.Attempts, "attempt"), wereOf(done.Attempts))
	}
	if done.Keys > 0 {
		say("%d expired idempotency %s %s deleted.", done.Keys, plural(done.Keys, "key"), wereOf(done.Keys))
	}
	if len(r.Repaired) == 0 {
		say("There was nothing to repair.")
	}
}

func wereOf(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func (r *Report) audit(a store.Audit) {
	r.At = a.At
	r.Accounts.Rows = a.Rows
	if a.Deleted >= 0 {
		r.Accounts.Deleted = &a.Deleted
	}
	sum := int64(0)
	for _, state := range states {
		account := Account{State: state, Counted: a.States[state]}
		for _, k := range a.Kept {
			if k.State == state {
				account.Kept = &k.Kept
			}
		}
		sum += account.Counted
		r.Accounts.States = append(r.Accounts.States, account)
	}
	r.add("states", grade(sum != a.Rows, store.GradeFail),
		fmt.Sprintf("the states add up to %d, and there are %d rows", sum, a.Rows),
		"Rows are in no state; see the broken ones below.")
	for _, k := range a.Kept {
		r.add("kept "+string(k.State), grade(k.Kept != k.Counted, store.GradeFail),
			fmt.Sprintf("kept %d, counted %d", k.Kept, k.Counted),
			"Rows were changed or deleted by hand: run windlass doctor --repair, which recounts. No job is touched.")
	}
	for _, b := range a.Broken {
		r.add("rows", store.GradeFail, fmt.Sprintf("%d %s this rule: %s (%s)", b.Rows,
			map[bool]string{true: "breaks", false: "break"}[b.Rows == 1], b.Rule, strings.Join(b.IDs, ", ")),
			"Somebody has changed rows by hand, or a disk is damaged: look at these jobs, and restore them from a backup.")
	}
	if len(a.Broken) == 0 {
		r.add("rows", store.GradeOK, "every row obeys the rules of its state", "")
	}
	r.add("orphans", grade(a.Orphans > 0, store.GradeWarn), fmt.Sprintf("%d running for no worker that lives", a.Orphans),
		"Maintenance takes them back by itself, in an api or a worker that runs; nothing has to be done unless they stay.")
	r.add("history", grade(a.LostAttempts > 0, store.GradeWarn),
		fmt.Sprintf("%d attempts of jobs that are gone", a.LostAttempts),
		"Jobs were deleted by hand: windlass doctor --repair deletes these attempts too.")
	r.add("keys", store.GradeOK,
		fmt.Sprintf("%d hold for jobs that were deleted, %d have expired", a.SpentKeys, a.ExpiredKeys), "")
	r.add("workers", store.GradeOK,
		fmt.Sprintf("%d with a lease, %d whose lease has run out", len(a.Sessions)-a.Expired, a.Expired), "")
	holder := ""
	for _, role := range a.Roles {
		if role.Name == "maintenance" && role.ExpiresAt.After(a.At) {
			holder = role.Holder
		}
	}
	switch {
	case holder != "":
		r.add("maintenance", store.GradeOK, "done by "+holder, "")
	case len(a.Sessions) > a.Expired:
		r.add("maintenance", store.GradeWarn, "nobody does it, and there are workers",
			"Delayed jobs and retries wait: start an api or a worker of Windlass, or the maintenance in your own program.")
	default:
		r.add("maintenance", store.GradeOK, "nobody does it: nothing runs", "")
	}
	for _, s := range a.Settings {
		r.add(s.Name, s.Grade, s.Value, s.Advice)
	}
	if a.Uncertain > 0 { // else there is no server
		r.clock("clock", a.ClockAhead, a.Uncertain, "The database's clock counts, for every job.")
	}
}

// tokens counts the access tokens. An older schema has none, which the migrations tell.
func (r *Report) tokens(ctx context.Context, s *opened) {
	list, err := s.store.Tokens(ctx)
	if err != nil {
		r.add("tokens", store.GradeWarn, err.Error(), "Bring the tables up to date first.")
		return
	}
	valid, soon := 0, 0
	for _, t := range list {
		switch {
		case !t.RevokedAt.IsZero() || !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(r.At):
		case !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(r.At.Add(7*24*time.Hour)):
			valid, soon = valid+1, soon+1
		default:
			valid++
		}
	}
	r.add("tokens", grade(soon > 0, store.GradeWarn),
		fmt.Sprintf("%d valid, %d of them expire within 7 days; %d revoked or expired", valid, soon, len(list)-valid),
		"Make new ones in time: windlass tokens create.")
}

// clockOff is how far clocks may be apart before it is worth a word.
const clockOff = 2 * time.Second

func (r *Report) clock(name string, ahead, uncertain time.Duration, what string) {
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	detail := fmt.Sprintf("%s %s ours, to within %s", max(ahead, -ahead).Round(time.Millisecond), side,
		max(uncertain.Round(time.Millisecond), time.Millisecond))
	off := max(ahead, -ahead)-uncertain > clockOff
	r.add(name, grade(off, store.GradeWarn), detail,
		what+" Have both machines keep time by NTP: --run-at and what people read would be off.")
}

// fewHints is how many of the hints may be stale without a word: a job that was started a moment ago leaves one behind.
const (
	sampledHints = 1000
	fewHints     = 10
)

// redis looks at the queue. Whether it keeps its data on a disk does not matter: it is filled from the database.
func (r *Report) redis(ctx context.Context, s *opened, set bool) {
	if !set {
		r.add("redis", store.GradeWarn, "not looked at", "Set REDIS_URL as api and worker have it.")
		return
	}
	c := s.config
	q, err := redis.Open(ctx, redis.Options{
		URL: c.RedisURL, Prefix: c.RedisPrefix, CAFile: c.RedisCAFile, CertFile: c.RedisCertFile, KeyFile: c.RedisKeyFile,
	})
	if err != nil {
		r.add("redis", store.GradeFail, err.Error(), "Correct REDIS_URL.")
		return
	}
	defer q.Close()
	found, err := q.Inspect(ctx)
	if err != nil {
		r.add("redis", store.GradeFail, "cannot be reached: "+err.Error(),
			"Nothing is lost, and jobs start up to a second late: start Redis, or correct REDIS_URL.")
		return
	}
	took := found.RoundTrip.Round(10 * time.Microsecond)
	answers := fmt.Sprintf("%s answers in %s; what it keeps on disk does not matter", found.Version, took)
	r.add("redis", grade(found.RoundTrip > 50*time.Millisecond, store.GradeWarn), strings.TrimSpace(answers),
		"Each job takes several of these round trips: move Redis nearer to the workers.")
	r.add("redis settings", grade(found.Warning != "", store.GradeWarn),
		"maxmemory-policy and cluster mode", found.Warning+".")
	r.clock("redis clock", found.ClockAhead, found.RoundTrip/2, "Redis' clock decides when a delayed job is looked at.")
	r.installations(ctx, s, found.Installations)
	r.hints(ctx, s, q)
}

func (r *Report) installations(ctx context.Context, s *opened, registered []string) {
	identified, is := s.store.(store.Identified)
	if !is {
		return
	}
	own, err := identified.Installation(ctx)
	if err != nil {
		r.add("installation", store.GradeFail, err.Error(), "The database must be reachable.")
		return
	}
	others := slices.DeleteFunc(slices.Clone(registered), func(id string) bool { return id == own })
	switch {
	case len(others) == len(registered) && len(others) > 0:
		r.add("installation", store.GradeFail, "another database's processes use this Redis, and none of this database's",
			"DATABASE_URL and REDIS_URL do not belong together, or REDIS_PREFIX is another one than that of api and worker.")
	case len(others) > 0:
		r.add("installation", store.GradeWarn, fmt.Sprintf("%d others use this Redis with the same prefix", len(others)),
			"Each takes the other's hints, so jobs start late: give each installation a REDIS_PREFIX of its own.")
	case len(registered) == 0:
		r.add("installation", store.GradeOK, "nobody has registered with this Redis in the last 30 s", "")
	default:
		r.add("installation", store.GradeOK, "this database's processes alone use this Redis", "")
	}
}

// hints compares a sample of the ids in the queue with the rows.
func (r *Report) hints(ctx context.Context, s *opened, q *redis.Queue) {
	hints, err := q.List(ctx, sampledHints)
	if err != nil {
		r.add("hints", store.GradeWarn, err.Error(), "Windlass needs all keys with its prefix.")
		return
	}
	ids := map[string]bool{}
	for _, h := range hints {
		ids[h.ID] = true
	}
	stale := len(ids)
	var list []string
	for id := range ids {
		list = append(list, id)
	}
	for part := range slices.Chunk(list, 500) {
		pending, err := s.store.Committed(ctx, part)
		if err != nil {
			r.add("hints", store.GradeWarn, err.Error(), "The database must be reachable.")
			return
		}
		stale -= len(pending)
	}
	r.add("hints", grade(stale > max(fewHints, len(ids)/10), store.GradeWarn),
		fmt.Sprintf("%d of %d ids in a sample are of jobs that do not wait", stale, len(ids)),
		"They do no harm, and go when a worker takes them. If they stay, another database's processes use this Redis.")
}
