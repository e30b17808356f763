// Package report turns the results of many runs into one table: medians, ranges, and the ratio of Windlass to each
// other system.
package report

import (
	"math"
	"slices"
)

// Value is one figure of one run.
type Value struct {
	Row    string // what was measured, such as "drain 100,000"
	Unit   string // "jobs/s", "ms"
	Lower  bool   // less is better
	Number float64
	CPU    float64 // microseconds of CPU time for each job, of clients and servers together; NaN: not measured
}

// NoCPU is the CPU of a Value without CPU time.
func NoCPU() float64 { return math.NaN() }

// series is one figure in several rounds.
type series []float64

// median returns the middle value, or the mean of the two middle ones; NaN if there are none.
func (s series) median() float64 { return Quantile(s, 0.5) }

func (s series) span() (low, high float64) {
	if len(s) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(s), slices.Max(s)
}

// Quantile returns the value below which a share q (0 to 1) of the values lies. It interpolates between two values. It
// is NaN if there are none.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	part := at - float64(below)
	return sorted[below]*(1-part) + sorted[below+1]*part
}
