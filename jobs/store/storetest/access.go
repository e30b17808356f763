package storetest

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var access = area{name: "Access", cases: []behaviour{
	{"TokenIsFoundByItsHash", accessFound},
	{"TokenIsStoredOnce", accessTwice},
	{"RevokedTokenIsNotFound", accessRevoked},
	{"ExpiredTokenIsNotFound", accessExpired},
	{"UseIsNotedOnceAMinute", accessTouched},
	{"ActionsAreReadPageByPage", accessPages},
	{"ChangesOfAnActorLeaveAnEntry", accessChanges},
	{"ChangesOfNobodyLeaveNone", accessNobody},
	{"RefusedChangesLeaveNone", accessRefused},
	{"TokensLeaveEntries", accessTokenEntries},
	{"OldActionsArePruned", accessPruned},
	{"RedriveStaysWithinTypesAndQueues", accessRedrive},
}}

var ada = store.Actor{ID: "7", Name: "ada", Reason: "a test", Address: "192.0.2.1", RequestID: "r-1"}

func (f *fixture) access() store.Access {
	f.Helper()
	a, is := f.store.(store.Access)
	if !is {
		f.Skip("the driver keeps no tokens")
	}
	return a
}

func token(secret string) store.Token {
	return store.Token{ID: newID(), Name: "ci", Hash: sha256.Sum256([]byte(secret)), Scopes: []string{"submit", "read"},
		Types: []string{"email"}, Queues: []string{"mail", "slow"}, CreatedBy: "ada"}
}

func (f *fixture) make(t store.Token, ttl time.Duration) store.Token {
	f.Helper()
	made, err := f.access().CreateToken(f.Context(), t, ttl)
	f.check(err, "create token")
	return made
}

func accessFound(f *fixture) {
	t := token("s")
	made := f.make(t, time.Hour)
	if lasts := made.ExpiresAt.Sub(made.CreatedAt); lasts != time.Hour {
		f.Errorf("the token lasts for %s", lasts)
	}
	got, err := f.access().TokenByHash(f.Context(), t.Hash)
	f.check(err, "token by hash")
	is(f, "token", jsonOf(got), jsonOf(made))
	t.Hash, t.CreatedAt, t.ExpiresAt = [32]byte{}, made.CreatedAt, made.ExpiresAt
	is(f, "token", jsonOf(got), jsonOf(t))
	_, err = f.access().TokenByHash(f.Context(), sha256.Sum256([]byte("another")))
	f.wants(err, jobs.ErrNotFound, "another hash")

	bare := f.make(store.Token{ID: newID(), Name: "bare", Hash: sha256.Sum256([]byte("b")), Scopes: []string{"admin"}}, 0)
	is(f, "never expires", bare.ExpiresAt.IsZero(), true)
	list, err := f.access().Tokens(f.Context())
	f.check(err, "tokens")
	is(f, "tokens", len(list), 2)
	is(f, "the newest is first", list[0].ID, bare.ID)
	is(f, "no types", len(list[0].Types)+len(list[0].Queues), 0)
}

func accessTwice(f *fixture) {
	t := token("s")
	f.make(t, 0)
	again := token("s")
	_, err := f.access().CreateToken(f.Context(), again, 0)
	f.wants(err, jobs.ErrRejected, "the hash again")
	again.Hash, again.ID = sha256.Sum256([]byte("other")), t.ID
	_, err = f.access().CreateToken(f.Context(), again, 0)
	f.wants(err, jobs.ErrRejected, "the id again")
	again.ID = "no uuid"
	_, err = f.access().CreateToken(f.Context(), again, 0)
	f.wants(err, jobs.ErrRejected, "an id that is no UUID")
}

func accessRevoked(f *fixture) {
	t := token("s")
	f.make(t, 0)
	first, err := f.access().RevokeToken(f.Context(), t.ID)
	f.check(err, "revoke")
	is(f, "revoked", first.RevokedAt.IsZero(), false)
	f.age(time.Hour)
	again, err := f.access().RevokeToken(f.Context(), t.ID)
	f.check(err, "revoke again")
	if d := first.RevokedAt.Sub(again.RevokedAt); d != time.Hour {
		f.Errorf("the second call has moved the time: %s", d)
	}
	_, err = f.access().TokenByHash(f.Context(), t.Hash)
	f.wants(err, jobs.ErrNotFound, "a revoked token")
	_, err = f.access().RevokeToken(f.Context(), newID())
	f.wants(err, jobs.ErrNotFound, "revoke what is not there")
}

func accessExpired(f *fixture) {
	t := token("s")
	f.make(t, time.Hour)
	f.age(59 * time.Minute)
	_, err := f.access().TokenByHash(f.Context(), t.Hash)
	f.check(err, "before its end")
	f.age(2 * time.Minute)
	_, err = f.access().TokenByHash(f.Context(), t.Hash)
	f.wants(err, jobs.ErrNotFound, "an expired token")
}

func accessTouched(f *fixture) {
	t := token("s")
	f.make(t, 0)
	used := func() time.Time {
		f.Helper()
		f.check(f.access().TouchToken(f.Context(), t.ID), "touch")
		got, err := f.access().TokenByHash(f.Context(), t.Hash)
		f.check(err, "token by hash")
		return got.LastUsedAt
	}
	first := used()
	is(f, "noted", first.IsZero(), false)
	f.age(30 * time.Second)
	is(f, "not noted again", first.Sub(used()), 30*time.Second)
	f.age(31 * time.Second)
	if d := first.Sub(used()); d >= 0 {
		f.Errorf("not noted after a minute: %s", d)
	}
}

func (f *fixture) actions(q store.ActionQuery) []store.Action {
	f.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := f.access().Actions(f.Context(), q)
	f.check(err, "actions")
	return page.Actions
}

func accessPages(f *fixture) {
	for _, target := range []string{"a", "b", "c", "d", "e"} {
		f.check(f.access().AddAction(f.Context(), ada, "login", target, 0), "add")
	}
	f.check(f.access().AddAction(f.Context(), store.Actor{ID: "8", Name: "eve"}, "logout", "a", 0), "add")
	var found []string
	q := store.ActionQuery{Who: "ada", Limit: 2}
	for range 4 {
		page, err := f.access().Actions(f.Context(), q)
		f.check(err, "actions")
		for _, a := range page.Actions {
			is(f, "actor", a.Actor, ada)
			found = append(found, a.Target)
		}
		if q.Before = page.Next; q.Before == 0 {
			break
		}
	}
	is(f, "targets", strings.Join(found, ""), "edcba")
	is(f, "by id of the actor", len(f.actions(store.ActionQuery{Who: "8"})), 1)
	is(f, "by action", len(f.actions(store.ActionQuery{Action: "login"})), 5)
	is(f, "by target", len(f.actions(store.ActionQuery{Target: "a"})), 2)
}

func accessChanges(f *fixture) {
	f.access()
	ctx := store.By(f.Context(), ada)
	session := f.worker()
	pending, running, done := f.submit(), f.running(session), f.completed(session)
	dead, more := f.dead(session, "x"), f.dead(session, "it broke")
	for _, id := range []string{pending.ID, running.ID, running.ID} { // the second request changes nothing
		_, err := f.store.Cancel(ctx, id)
		f.check(err, "cancel")
	}
	f.check(f.store.Delete(ctx, done.ID), "delete")
	_, err := f.store.Redrive(ctx, store.Redrive{IDs: []string{dead.ID}, Limit: 1})
	f.check(err, "redrive")
	_, err = f.store.Redrive(ctx, store.Redrive{DeadOnly: true, Type: more.Type, Error: "broke", Limit: 10})
	f.check(err, "redrive")
	var got []string
	list := f.actions(store.ActionQuery{})
	slices.Reverse(list)
	for _, a := range list {
		is(f, "actor", a.Actor, ada)
		is(f, "count", a.Count, 1)
		got = append(got, a.Action+" "+a.Target)
	}
	is(f, "actions", strings.Join(got, "\n"), strings.Join([]string{
		"job.cancel " + pending.ID, "job.cancel " + running.ID, "job.delete " + done.ID, "job.retry " + dead.ID,
		"job.retry type=email error=broke",
	}, "\n"))
}

func accessNobody(f *fixture) {
	f.access()
	session := f.worker()
	pending, dead, done := f.submit(), f.dead(session, "x"), f.completed(session)
	_, err := f.store.Cancel(f.Context(), pending.ID)
	f.check(err, "cancel")
	_, err = f.store.Redrive(f.Context(), store.Redrive{IDs: []string{dead.ID}, Limit: 1})
	f.check(err, "redrive")
	f.check(f.store.Delete(f.Context(), done.ID), "delete")
	is(f, "actions", len(f.actions(store.ActionQuery{})), 0)
}

func accessRefused(f *fixture) {
	f.access()
	ctx := store.By(f.Context(), ada)
	session := f.worker()
	pending, done := f.submit(), f.completed(session)
	f.wants(f.store.Delete(ctx, pending.ID), jobs.ErrConflict, "delete")
	f.wants(f.store.Delete(ctx, newID()), jobs.ErrNotFound, "delete")
	_, err := f.store.Cancel(ctx, done.ID)
	f.wants(err, jobs.ErrConflict, "cancel")
	moved, err := f.store.Redrive(ctx, store.Redrive{IDs: []string{done.ID}, Limit: 1})
	f.check(err, "redrive")
	is(f, "moved", len(moved), 0)
	is(f, "actions", len(f.actions(store.ActionQuery{})), 0)
}

func accessTokenEntries(f *fixture) {
	ctx := store.By(f.Context(), ada)
	t := token("s")
	_, err := f.access().CreateToken(ctx, t, 0)
	f.check(err, "create token")
	_, err = f.access().CreateToken(ctx, token("s"), 0)
	f.wants(err, jobs.ErrRejected, "the hash again")
	for range 2 {
		_, err = f.access().RevokeToken(ctx, t.ID)
		f.check(err, "revoke")
	}
	list := f.actions(store.ActionQuery{Target: t.ID})
	is(f, "actions", len(list), 2)
	is(f, "last", list[0].Action, store.ActionTokenRevoke)
	is(f, "first", list[1].Action, store.ActionTokenCreate)
	is(f, "all actions", len(f.actions(store.ActionQuery{})), 2)
}

func accessPruned(f *fixture) {
	f.check(f.access().AddAction(f.Context(), ada, "login", "old", 0), "add")
	f.age(2 * time.Hour)
	f.check(f.access().AddAction(f.Context(), ada, "login", "young", 0), "add")
	is(f, "pruned without a retention", f.prune(store.Prune{Limit: 100}).Actions, 0)
	is(f, "pruned", f.prune(store.Prune{Actions: time.Hour, Limit: 100}).Actions, 1)
	left := f.actions(store.ActionQuery{})
	is(f, "left", len(left), 1)
	is(f, "left", left[0].Target, "young")
}

func accessRedrive(f *fixture) {
	session := f.worker()
	mail, slow := f.dead(session, "x", inQueue("mail")), f.dead(session, "x", inQueue("slow"))
	redrive := func(r store.Redrive) int {
		f.Helper()
		r.Limit = 10
		hints, err := f.store.Redrive(f.Context(), r)
		f.check(err, "redrive")
		return len(hints)
	}
	is(f, "another type", redrive(store.Redrive{Types: []string{"report"}}), 0)
	is(f, "another queue, by id", redrive(store.Redrive{IDs: []string{slow.ID}, Queues: []string{"mail"}}), 0)
	is(f, "by queue", redrive(store.Redrive{Queues: []string{"mail", "other"}}), 1)
	is(f, "mail is pending", f.get(mail.ID).Status, jobs.Pending)
	is(f, "by id", redrive(store.Redrive{IDs: []string{slow.ID}, Types: []string{"email"}, Queues: []string{"slow"}}), 1)
}
