// Package report turns what many runs have yielded into one table: medians, ranges, and what Windlass is beside each peer.
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
	CPU    float64 // microseconds of CPU time for each job, of clients and servers together; NaN: does not apply
}

// NoCPU is the CPU of a figure that has none.
func NoCPU() float64 { return math.NaN() }

// series is the same figure in several rounds.
type series []float64

// median is the middle one, or the mean of the two in the middle; NaN of none.
func (s series) median() float64 { return Quantile(s, 0.5) }

func (s series) span() (low, high float64) {
	if len(s) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(s), slices.Max(s)
}

// Quantile returns the value below which a share q of the values lies, between two of them by proportion; NaN of none.
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
