// Package queuetest is the conformance kit of the queue drivers: it tests each sentence of the contracts of
// queue.Queue and queue.Bus. Each driver runs it in its own tests.
//
// It tests neither load nor faults: what happens when the server cannot be reached is for the driver's own tests.
package queuetest

import (
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

// Queue is what is under test.
type Queue interface {
	queue.Queue
	queue.Bus
}

// Harness makes Queues of a driver, and does to them what the contract has no method for.
type Harness struct {
	// Open returns an empty Queue that no other test shares. The harness closes it by t.Cleanup.
	Open func(t *testing.T) Queue
	// Age makes every id in a retry set due sooner by d.
	Age func(t *testing.T, q Queue, d time.Duration)
	// Second returns another client of the same Queue, as another process would have one. It is nil, or returns nil,
	// where the driver has no such thing.
	Second func(t *testing.T, q Queue) Queue
	// Forget makes the Queue lose everything, as a FLUSHALL does.
	Forget func(t *testing.T, q Queue)
	// Waiting counts the Pops that are blocked at this moment, so that the tests wake only Pops that wait.
	Waiting func(t *testing.T, q Queue) int
	// Cap is what the Queue was opened with: more than 500, so that the limit of Promote is reached, and at most
	// 2,000, for speed.
	Cap int
}

// What the contract says in numbers.
const (
	promoteLimit = 500
	deadLimit    = 1000
)

// Run tests a driver against the contracts.
func Run(t *testing.T, h Harness) {
	if h.Cap <= promoteLimit || h.Cap > 2000 {
		t.Fatalf("queuetest: a cap of %d does not show what the kit looks for", h.Cap)
	}
	groups := []struct {
		name  string
		tests []test
	}{
		{"Order", orderTests}, {"Push", pushTests}, {"Cap", capTests}, {"Pop", popTests}, {"Wait", waitTests},
		{"Types", typesTests}, {"ManyQueues", manyTests},
		{"Promote", promoteTests}, {"Dead", deadTests}, {"Depths", depthsTests}, {"Bus", busTests},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					k := &kit{T: t, Harness: h, q: h.Open(t)}
					k.other = k.q
					if h.Second != nil {
						if second := h.Second(t, k.q); second != nil {
							k.other = second
						}
					}
					test.run(k)
				})
			}
		})
	}
}

// test is one behaviour.
type test struct {
	name string
	run  func(k *kit)
}

// kit is one test's view: its Queue, and the same Queue through another client where the driver has one.
type kit struct {
	*testing.T
	Harness
	q, other Queue
}
