package child

import (
	"context"
	"math/rand/v2"
	"time"
)

// latency submits single jobs to an idle system. It measures the time from the call of Submit to the start of the
// handler.
func latency(ctx context.Context, r *run) error {
	const warm = 20 // jobs before the measure, to open connections
	started := r.counter.listen()
	if err := r.Start(ctx); err != nil {
		return err
	}
	one := func(n int) (float64, error) {
		// The gap is random, so that it does not fall into step with a poll interval.
		time.Sleep(r.Gap + rand.N(r.Gap*3/2))
		submitted := time.Now()
		if err := r.Submit(ctx, n); err != nil {
			return 0, err
		}
		return float64((<-started).Sub(submitted).Microseconds()) / 1000, nil
	}
	for n := range warm {
		if _, err := one(n); err != nil {
			return err
		}
	}
	if err := r.begin(); err != nil {
		return err
	}
	for n := range r.Samples {
		ms, err := one(warm + n)
		if err != nil {
			return err
		}
		r.outcome.Latencies = append(r.outcome.Latencies, ms)
	}
	if err := r.end(r.Samples); err != nil {
		return err
	}
	if err := r.awaitCompleted(ctx, warm+r.Samples); err != nil {
		return err
	}
	return r.verify(ctx, 0, warm+r.Samples)
}
