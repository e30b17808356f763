package jobs

import (
	"math/rand/v2"
	"time"
)

// MaxBackoff is the longest wait between two attempts by the default curve.
const MaxBackoff = time.Hour

// BackoffFunc says how long to wait after the attempt-th attempt (counted from 1) has failed.
// The option WithBackoff sets another curve than Backoff.
type BackoffFunc func(attempt int) time.Duration

// Backoff is the default curve: 2^attempt seconds plus 0 to 10 % at random, so that jobs which failed together do
// not return together. It is never more than MaxBackoff.
func Backoff(attempt int) time.Duration {
	base := BackoffBase(attempt)
	return min(base+time.Duration(rand.Float64()*0.1*float64(base)), MaxBackoff)
}

// BackoffBase is Backoff without its random part.
func BackoffBase(attempt int) time.Duration {
	const enough = 12 // 2^12 s is past MaxBackoff already
	return min(time.Second<<min(max(attempt, 0), enough), MaxBackoff)
}
