package httpapi

import (
	"context"
	"sync/atomic"
	"time"
)

// patience hands out contexts that end after answerTimeout, or up to a step sooner. Those who ask within the same step share one: a timer for
// each, hung onto the context of its request, was a fifteenth of the api's own work for a job.
//
// Such a context does not end when the client hangs up. For who waits until something is stored that makes no difference: it is stored all the
// same, and soon.
type patience struct{ latest atomic.Pointer[spell] }

// spell is a context that is handed out until a moment.
type spell struct {
	context.Context
	until time.Time
}

const patienceStep = 50 * time.Millisecond

func (p *patience) context() context.Context {
	now := time.Now()
	s := p.latest.Load()
	if s == nil || now.After(s.until) {
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
		context.AfterFunc(ctx, cancel) // there is no end but by time
		s = &spell{ctx, now.Add(patienceStep)}
		p.latest.Store(s)
	}
	return s.Context
}
