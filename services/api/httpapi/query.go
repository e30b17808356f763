package httpapi

import (
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/windlass-jobs/windlass/internal/canonjson"
)

// strictQuery refuses query strings that Huma would read kindly: with parameters that the operation does not know, with one of them
// twice or empty, or not encoded properly. A typo in a filter shall not answer with everything.
func strictQuery(api huma.API) func(ctx huma.Context, next func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		if bad := checkQuery(u.RawQuery, ctx.Operation().Parameters); bad != nil {
			_ = huma.WriteErr(api, ctx, 0, "", bad)
			return
		}
		next(ctx)
	}
}

func checkQuery(query string, parameters []*huma.Param) *Problem {
	if query == "" {
		return nil
	}
	given, err := url.ParseQuery(query)
	if err != nil {
		return invalidParameter.problem("The query string is not properly encoded.")
	}
	var faults []Fault
	for name, values := range given {
		known := false
		for _, p := range parameters {
			known = known || p.In == "query" && p.Name == name
		}
		switch {
		case !known && canonjson.PlainName(name):
			faults = append(faults, Fault{Detail: "is not a known parameter", Parameter: name})
		case !known:
			faults = append(faults, Fault{Detail: "a parameter is not known"})
		case len(values) > 1:
			faults = append(faults, Fault{Detail: "must occur once", Parameter: name})
		case values[0] == "":
			faults = append(faults, Fault{Detail: "must not be empty: leave it out", Parameter: name})
		}
	}
	if faults == nil {
		return nil
	}
	return invalidParameter.problem("A parameter is not valid: see errors.", faults[:min(len(faults), maxFaults)]...)
}
