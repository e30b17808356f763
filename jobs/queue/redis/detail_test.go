package redis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/tests/servers"
)

func TestScriptFlush(t *testing.T) {
	server := servers.StartRedis(t)
	q, admin := strict(t, server.URL), raw(t, server.URL)
	for round := range 3 {
		for name, call := range calls(q) {
			if name == "wait" {
				continue
			}
			if err := call(t.Context()); err != nil {
				t.Errorf("%s in round %d: %v", name, round, err)
			}
		}
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPushIsOneRoundTrip(t *testing.T) {
	server := servers.StartRedis(t)
	q, admin := strict(t, server.URL), raw(t, server.URL)
	batch := hints(1000)
	for i := range batch {
		batch[i].Queue = fmt.Sprintf("queue-%d", i%50)
		batch[i].Suspect = i%3 == 0
		batch[i].In = time.Duration(i%2) * time.Hour
	}
	if _, err := q.Push(t.Context(), batch); err != nil { // which also makes the script known
		t.Fatal(err)
	}
	if err := admin.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Push(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	stats, err := admin.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stats, "cmdstat_evalsha:calls=1,") {
		t.Fatalf("not one call:\n%s", stats)
	}
}

func TestCheck(t *testing.T) {
	server := servers.StartRedis(t)
	admin := raw(t, server.URL)
	ctx := t.Context()
	check := func(url, want string) {
		t.Helper()
		got, err := strict(t, url).Check(ctx)
		if err != nil || want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("check says %q, %v; want %q", got, err, want)
		}
	}
	check(server.URL, "")
	if err := admin.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	check(server.URL, "allkeys-lru")

	// What managed services deny.
	user := func(name string, rules ...any) string {
		t.Helper()
		args := append([]any{"ACL", "SETUSER", name, "on", ">secret", "~*", "&*", "+@all"}, rules...)
		if err := admin.Do(ctx, args...).Err(); err != nil {
			t.Fatal(err)
		}
		return "redis://" + name + ":secret@" + server.Addr + "/0"
	}
	check(user("noconfig", "-config"), "allkeys-lru")
	blind := user("blind", "-config", "-info")
	check(blind, "cannot read")
	q := strict(t, blind)
	first, err := q.Depths(ctx, []string{"a"})
	if err != nil || first.Epoch == "" {
		t.Fatalf("depths without INFO: %+v, %v", first, err)
	}
	if err := admin.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if second, err := q.Depths(ctx, []string{"a"}); err != nil || second.Epoch == first.Epoch {
		t.Fatalf("epoch without INFO stays %q over a FLUSHALL, %v", second.Epoch, err)
	}
	// These rights are enough: its own keys and channels, nothing dangerous but INFO.
	own := user("own", "resetkeys", "resetchannels", "~{windlass}:*", "&{windlass}:*", "-@dangerous", "+info")
	for name, call := range calls(strict(t, own)) {
		if name == "wait" {
			continue
		}
		if err := call(ctx); err != nil {
			t.Errorf("%s with few rights: %v", name, err)
		}
	}
}

func TestPrefixesShareAServer(t *testing.T) {
	url := servers.Redis(t)
	one, two := open(t, url, "one-"+rand.Text(), 100), open(t, url, "two-"+rand.Text(), 100)
	if _, err := one.Push(t.Context(), hints(3)); err != nil {
		t.Fatal(err)
	}
	if got, err := two.Pop(t.Context(), queue.Pop{N: 9}); err != nil || len(got) != 0 {
		t.Fatalf("%d ids of another system, %v", len(got), err)
	}
	for _, key := range one.raw.Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(key, "{"+one.prefix+"}:") && !strings.HasPrefix(key, "{"+two.prefix+"}:") {
			t.Errorf("key %q is outside of its hash tag", key)
		}
	}
}

// TestAbandonedWait cancels a Pop whose command goes on in Redis for a moment: the token that it may still take has
// to come back.
func TestAbandonedWait(t *testing.T) {
	q := open(t, servers.Redis(t), rand.Text(), 100)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := q.Pop(ctx, queue.Pop{N: 1, Wait: time.Minute})
			ended <- err
		}()
		until(t, "a blocked pop", func() bool { return q.blocked() == 1 })
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := q.Push(t.Context(), hints(1)); err != nil {
			t.Fatal(err)
		}
		until(t, "a token for the next", func() bool { return q.blocked() == 0 && len(q.tokens()) == 1 })
		until(t, "an expiry of that token", func() bool {
			keys := q.raw.Keys(t.Context(), q.key("tokens:*")).Val()
			return len(keys) == 1 && q.raw.TTL(t.Context(), keys[0]).Val() > 0
		})
		if got, err := q.Pop(t.Context(), queue.Pop{N: 9}); err != nil || len(got) != 1 {
			t.Fatalf("%d ids, %v", len(got), err)
		}
		if left := q.tokens(); len(left) != 0 {
			t.Fatalf("stale tokens: %v", left)
		}
	}
}

// TestLoneIDComesWithItsToken looks for what a token tells, and takes the way that it saves out of a wait's commands.
func TestLoneIDComesWithItsToken(t *testing.T) {
	server := servers.StartRedis(t)
	q := open(t, server.URL, rand.Text(), 100)
	lone := jobs.Hint{ID: "one", Queue: "a", Type: "email", Priority: 3, RunAt: time.UnixMilli(1_772_600_767_890).UTC()}
	suspect, later, other := lone, lone, lone
	suspect.Suspect, later.In, other.ID, other.Queue = true, time.Hour, "two", "b"
	const telling = "71772600767890 one a email"
	for name, c := range map[string]struct {
		before, push []jobs.Hint
		want         string
	}{
		"alone":            {nil, []jobs.Hint{lone}, "[" + telling + "]"},
		"beside a suspect": {[]jobs.Hint{suspect}, []jobs.Hint{lone}, "[1 " + telling + "]"},
		"two":              {nil, []jobs.Hint{lone, other}, "[1 1]"},
		"one due, one not": {nil, []jobs.Hint{lone, later}, "[1]"},
		"a suspect":        {nil, []jobs.Hint{suspect}, "[1]"},
		"due later":        {nil, []jobs.Hint{later}, "[]"},
		"not the first one": {[]jobs.Hint{lone}, []jobs.Hint{{ID: "zero", Queue: "a", Type: "email", RunAt: lone.RunAt}},
			"[" + telling + " 1]"},
	} {
		q.do("FLUSHDB")
		q.wait(queue.Pop{})
		for _, hints := range [][]jobs.Hint{c.before, c.push} {
			if _, err := q.Push(t.Context(), hints); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(q.tokens()); got != c.want {
			t.Errorf("%s: the tokens are %s, want %s", name, got, c.want)
		}
	}

	// A Pop that begins anew just then, because its slice is over, finds the id itself: hence until.
	until(t, "a wait whose id comes with its token", func() bool {
		q.do("FLUSHDB")
		answer := make(chan []jobs.Hint, 1)
		go func() {
			got, err := q.Pop(context.Background(), queue.Pop{N: 5, Wait: time.Minute})
			if err != nil {
				t.Error(err)
			}
			answer <- got
		}()
		until(t, "a blocked pop", func() bool { return q.blocked() == 1 })
		if err := q.raw.ConfigResetStat(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Push(t.Context(), []jobs.Hint{lone}); err != nil {
			t.Fatal(err)
		}
		if got := <-answer; len(got) != 1 || got[0] != lone {
			t.Fatalf("popped %+v, want %+v", got, lone)
		}
		until(t, "the id to be gone", func() bool { return q.do("EXISTS", q.key("ready:a:email")) == int64(0) })
		return strings.Contains(q.raw.Info(t.Context(), "commandstats").Val(), "cmdstat_evalsha:calls=1,") // that of the push
	})
}

// TestPopOutlastsItsContext ends a Pop's context while Redis is at it: what it takes must not be lost with the answer.
func TestPopOutlastsItsContext(t *testing.T) {
	server := servers.StartRedis(t)
	q := open(t, server.URL, rand.Text(), 100)
	if _, err := q.Push(t.Context(), hints(3)); err != nil {
		t.Fatal(err)
	}
	q.do("CLIENT", "PAUSE", 400, "WRITE")
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	got, err := q.Pop(ctx, queue.Pop{N: 3})
	if err != nil || len(got) != 3 || ctx.Err() == nil {
		t.Fatalf("%d ids, %v; the context: %v", len(got), err, ctx.Err())
	}
}

// TestTokensAreBounded leaves no more tokens behind than a list may hold, and none once the queues are empty.
func TestTokensAreBounded(t *testing.T) {
	q := open(t, servers.Redis(t), rand.Text(), 0)
	pops := []queue.Pop{{}, {Queues: []string{"a"}}, {Types: []string{"email"}}}
	for range 3 {
		for _, p := range pops {
			q.wait(p)
		}
		for n := range 5 {
			batch := hints(1000)
			for i := range batch {
				batch[i].ID = fmt.Sprintf("%d-%d", n, i)
			}
			if _, err := q.Push(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(q.tokens()); n < len(pops) || n > len(pops)*128 {
			t.Fatalf("%d tokens for %d groups", n, len(pops))
		}
		if got, err := q.Pop(t.Context(), queue.Pop{N: 10_000}); err != nil || len(got) != 5000 {
			t.Fatal(len(got), err)
		}
		for _, p := range pops {
			q.wait(p)
		}
		if left := q.tokens(); len(left) != 0 {
			t.Fatalf("%d tokens of ids that are gone", len(left))
		}
	}
}

// TestNamesUsedOnceLeaveNothing has ids come and go in many queues, in every way there is.
func TestNamesUsedOnceLeaveNothing(t *testing.T) {
	q := open(t, servers.StartRedis(t).URL, rand.Text(), 0)
	var all []jobs.Hint
	for n := range 300 {
		h := jobs.Hint{ID: fmt.Sprint(n), Queue: fmt.Sprintf("q%d", n), Type: fmt.Sprintf("t%d", n%50), Suspect: n%5 == 0}
		if n%3 == 0 {
			h.In = time.Millisecond
		}
		all = append(all, h)
	}
	if _, err := q.Push(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	got := 0
	until(t, "all ids", func() bool {
		if _, err := q.Promote(t.Context()); err != nil {
			t.Fatal(err)
		}
		hints, err := q.Pop(t.Context(), queue.Pop{N: 7, Suspects: 2})
		if err != nil {
			t.Fatal(err)
		}
		got += len(hints)
		return got == len(all)
	})
	waiter := make(chan error, 1)
	go func() { // one that comes with its token
		_, err := q.Pop(context.Background(), queue.Pop{N: 1, Wait: time.Minute})
		waiter <- err
	}()
	until(t, "a blocked pop", func() bool { return q.blocked() == 1 })
	if _, err := q.Push(t.Context(), hints(1)); err != nil {
		t.Fatal(err)
	}
	if err := <-waiter; err != nil {
		t.Fatal(err)
	}
	until(t, "nothing but those who wait", func() bool {
		if _, err := q.Pop(t.Context(), queue.Pop{N: 1}); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(q.raw.Keys(t.Context(), q.key("*")).Val()) == "["+q.key("waiters")+"]"
	})
}

// TestDeadMirror shows people the newest dead ids in the order of their end.
func TestDeadMirror(t *testing.T) {
	q := open(t, servers.Redis(t), rand.Text(), 100)
	now := time.UnixMilli(1_772_600_767_890)
	if err := q.SetDead(t.Context(), []queue.DeadID{{ID: "b", FinishedAt: now}, {ID: "a",
		FinishedAt: now.Add(-time.Second)}}); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(q.do("ZREVRANGE", q.key("dead"), 0, -1, "WITHSCORES"))
	if want := "[b 1772600767890 a 1772600766890]"; got != want {
		t.Errorf("the mirror shows %s, want %s", got, want)
	}
}

// TestStrangers puts what is none of ours where Windlass reads.
func TestStrangers(t *testing.T) {
	q := open(t, servers.Redis(t), rand.Text(), 100)
	events, err := q.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q.do("PUBLISH", q.key("events"), "no JSON")
	want := queue.Event{Kind: queue.EventCancel, JobID: "x"}
	if err := q.Publish(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-events:
		if got != want {
			t.Errorf("got %+v", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("the subscription did not survive a stranger")
	}
	if _, err := q.Push(t.Context(), hints(1, dueIn(time.Millisecond))); err != nil {
		t.Fatal(err)
	}
	q.do("ZADD", q.key("delayed:a"), 0, "rubbish")
	q.do("ZADD", q.key("delayed:a"), 0, "r12:")
	moved := 0
	until(t, "promotion", func() bool {
		n, err := q.Promote(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		moved += n
		return moved == 3
	})
	if got, err := q.Pop(t.Context(), queue.Pop{N: 9}); err != nil || len(got) != 1 || got[0].ID != hints(1)[0].ID {
		t.Errorf("popped %+v, %v", got, err)
	}
}
