package queuetest

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

func cancelled(n int) queue.Event { return queue.Event{Kind: queue.EventCancel, JobID: id(n)} }

func (k *kit) subscribe(ctx context.Context, q Queue) <-chan queue.Event {
	k.Helper()
	events, err := q.Subscribe(ctx)
	if err != nil {
		k.Fatalf("subscribe: %v", err)
	}
	return events
}

func (k *kit) publish(q Queue, events ...queue.Event) {
	k.Helper()
	if err := q.Publish(k.Context(), events...); err != nil {
		k.Fatalf("publish: %v", err)
	}
}

// lost is how many events the drivers have counted as lost.
func (k *kit) lost() int64 {
	q, ok := k.q.(queue.Losses)
	if !ok {
		k.Skip("the driver does not count")
	}
	return q.Lost()
}

func (k *kit) wantEvents(from <-chan queue.Event, want ...queue.Event) {
	k.Helper()
	for _, w := range want {
		if got := receive(k.T, from, "an event"); got != w {
			k.Fatal(cmp.Diff(w, got))
		}
	}
}

// wantClosed reads on until the channel is closed.
func (k *kit) wantClosed(from <-chan queue.Event) {
	k.Helper()
	give := time.After(patience)
	for {
		select {
		case _, open := <-from:
			if !open {
				return
			}
		case <-give:
			k.Fatal("the channel is still open")
		}
	}
}

var busTests = []test{
	{"DeliversToEverySubscriber", func(k *kit) {
		var all []<-chan queue.Event
		for _, q := range []Queue{k.q, k.q, k.other} {
			all = append(all, k.subscribe(k.Context(), q))
		}
		k.publish(k.q, cancelled(1), cancelled(2))
		k.publish(k.q)
		k.publish(k.other, cancelled(3))
		for _, events := range all {
			k.wantEvents(events, cancelled(1), cancelled(2), cancelled(3))
		}
	}},
	{"CarriesEventsUnchanged", func(k *kit) {
		events := k.subscribe(k.Context(), k.q)
		want := []queue.Event{{Kind: "other"}, {Kind: `a "kind"`, JobID: "and\nan id"}, cancelled(9)}
		k.publish(k.other, want...)
		k.wantEvents(events, want...)
	}},
	{"DeliversNothingOfThePast", func(k *kit) {
		k.publish(k.q, cancelled(1))
		events := k.subscribe(k.Context(), k.q)
		k.publish(k.q, cancelled(2))
		k.wantEvents(events, cancelled(2))
	}},
	{"NeedsNoSubscriber", func(k *kit) {
		k.publish(k.q, cancelled(1))
	}},
	{"ClosesTheChannelWithTheContext", func(k *kit) {
		ctx, cancel := context.WithCancel(k.Context())
		ending, staying := k.subscribe(ctx, k.q), k.subscribe(k.Context(), k.q)
		k.publish(k.q, cancelled(1))
		k.wantEvents(ending, cancelled(1))
		cancel()
		k.wantClosed(ending)
		k.publish(k.q, cancelled(2))
		k.wantEvents(staying, cancelled(1), cancelled(2))
	}},
	{"DeliversAThousandAtOnce", func(k *kit) {
		events := k.subscribe(k.Context(), k.q)
		many := make([]queue.Event, 1000)
		for i := range many {
			many[i] = cancelled(i)
		}
		for range 3 {
			k.publish(k.other, many...)
			k.wantEvents(events, many...)
		}
	}},
	{"TellsASlowSubscriberOnceThatItLost", func(k *kit) {
		events := k.subscribe(k.Context(), k.q)
		many := make([]queue.Event, queue.Backlog+500)
		for i := range many {
			many[i] = cancelled(i)
		}
		before := k.lost()
		k.publish(k.other, many...)
		eventually(k.T, "losses to be counted", func() bool { return k.lost()-before == 500 })
		k.wantEvents(events, append(many[:queue.Backlog:queue.Backlog], queue.Event{Kind: queue.EventLost})...)
		k.publish(k.other, cancelled(9))
		k.wantEvents(events, cancelled(9))
	}},
	{"LosesForTheSlowWithoutHoldingUpOthers", func(k *kit) {
		const many = 9000
		slow, quick := k.subscribe(k.Context(), k.q), k.subscribe(k.Context(), k.other)
		for n := 0; n < many; n += 100 {
			batch := make([]queue.Event, 100)
			for i := range batch {
				batch[i] = cancelled(n + i)
			}
			k.publish(k.other, batch...)
			// The quick one reads all the time, so that it loses nothing.
			k.wantEvents(quick, batch...)
		}
		// The slow one has lost some, but is still subscribed: it gets what is sent after it has caught up.
		got, last := 0, cancelled(1_000_000)
		for more := true; more; {
			select {
			case <-slow:
				got++
			default:
				more = false
			}
		}
		k.publish(k.other, last)
		for receive(k.T, slow, "the last event") != last {
			got++
		}
		if got == 0 || got >= many {
			k.Fatalf("the slow subscriber got %d of %d", got, many)
		}
	}},
}
