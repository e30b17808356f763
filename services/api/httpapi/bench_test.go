package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

// instant is a client that stores nothing: what remains is the API's own work.
type instant struct{ httpapi.Client }

func (instant) Types(context.Context) ([]jobs.Type, error) {
	return []jobs.Type{{Name: "email", Queue: "default", MaxAttempts: 5, Timeout: time.Minute, Schema: []byte(`{"type":"object","properties":{"to":{"type":"string"}}}`)}}, nil
}

func (instant) Submit(_ context.Context, s jobs.Submission) (jobs.Receipt, error) {
	n, now := s.Jobs[0], time.Now()
	return jobs.Receipt{Jobs: []jobs.Job{{
		ID: unknownID, Type: n.Type, Queue: "default", Payload: n.Payload, Status: jobs.Pending, MaxAttempts: 5, Timeout: time.Minute, RunAt: now, CreatedAt: now, UpdatedAt: now,
	}}}, nil
}

func BenchmarkSubmit(b *testing.B) {
	handler, err := httpapi.New(httpapi.Options{Client: instant{}})
	if err != nil {
		b.Fatal(err)
	}
	const body = `{"type":"email","payload":{"to":"someone@example.com","subject":"hello","body":"a few words of text that fill it up"}}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/jobs", strings.NewReader(body))
		r.Host = "localhost"
		r.Header = http.Header{"Content-Type": {"application/json"}}
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != http.StatusCreated {
			b.Fatal(w.Body)
		}
	}
}
