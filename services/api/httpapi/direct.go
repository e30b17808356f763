package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Huma describes every operation, and serves all but those that take jobs in: there its reflection costs more than all else that is done for a
// job. An operation is served without Huma where its input needs nothing but the request and its answer writes itself.
type (
	taker interface {
		take(*http.Request, http.ResponseWriter)
	}
	responder interface{ respond(http.ResponseWriter) }
)

// direct returns the handler of such an operation, or nil for any other.
func direct[I, O any](do func(context.Context, *I) (*O, error)) http.HandlerFunc {
	_, takes := any((*I)(nil)).(taker)
	_, responds := any((*O)(nil)).(responder)
	if !takes || !responds {
		return nil
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if bad := checkQuery(r.URL.RawQuery, nil); bad != nil {
			bad.write(w)
			return
		}
		in := new(I)
		any(in).(taker).take(r, w)
		out, err := do(r.Context(), in)
		if err != nil {
			humaProblem(http.StatusInternalServerError, []error{err}).write(w)
			return
		}
		any(out).(responder).respond(w)
	}
}

// inPlace is the key in an operation's metadata of the handler that serves it in Huma's place.
const inPlace = "handler"

// adapter is Huma's way to the mux.
type adapter struct {
	huma.Adapter
	mux *http.ServeMux
}

func newAdapter(mux *http.ServeMux) adapter { return adapter{humago.NewAdapter(mux, ""), mux} }

// Handle routes an operation to the handler that it brings along, or else to Huma's.
func (a adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	if own, ok := op.Metadata[inPlace].(http.HandlerFunc); ok {
		a.mux.HandleFunc(op.Method+" "+op.Path, own)
		return
	}
	a.Adapter.Handle(op, handler)
}
