// Package accept reads what a client accepts. The servers of the API and of the pages share it.
package accept

import (
	"strconv"
	"strings"
)

// Gzip reports whether an Accept-Encoding header allows gzip and does not prefer the plain form.
func Gzip(header []string) bool {
	weights := map[string]float64{}
	for part := range strings.SplitSeq(strings.ToLower(strings.Join(header, ",")), ",") {
		coding, parameter, _ := strings.Cut(part, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			var err error
			if weight, err = strconv.ParseFloat(strings.TrimSpace(q), 64); err != nil {
				weight = 0
			}
		}
		weights[strings.TrimSpace(coding)] = weight
	}
	gzip, named := weights["gzip"]
	if !named {
		gzip = weights["*"]
	}
	return gzip > 0 && gzip >= weights["identity"]
}
