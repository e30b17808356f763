package httpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/localapi"
)

// Submit a job, and wait until it is over.
func Example() {
	url, stop := exampleAPI()
	defer stop()

	ctx := context.Background()
	client, err := httpclient.New(httpclient.Options{URL: url, Token: os.Getenv("WINDLASS_TOKEN")})
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := client.Submit(ctx, jobs.Submission{
		Jobs: []jobs.New{{Type: "greet", Payload: json.RawMessage(`{"name":"Ada"}`)}},
		Key:  &jobs.Key{Key: "greeting-of-ada"}, // the job is stored once, however often this runs in 24 hours
	})
	if err != nil {
		log.Fatal(err)
	}
	job, err := client.Wait(ctx, receipt.Jobs[0].ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status, string(job.Result))
	// Output: completed {"text":"Hello, Ada"}
}

// Tell what is wrong with a request apart from what is wrong with the API.
func ExampleProblem() {
	url, stop := exampleAPI()
	defer stop()
	client, err := httpclient.New(httpclient.Options{URL: url})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Submit(context.Background(), jobs.Submission{
		Jobs: []jobs.New{{Type: "greet", Priority: 50, Payload: json.RawMessage(`{"name":"Ada"}`)}},
	})
	var invalid *jobs.InvalidError
	var problem *httpclient.Problem
	switch {
	case errors.Is(err, jobs.ErrUnavailable): // nothing was stored: try again later
	case errors.Is(err, jobs.ErrOutcomeUnknown): // it may be stored: submit it again with the same key
	case errors.As(err, &invalid):
		for _, f := range invalid.Fields {
			fmt.Println(f.Pointer, f.Detail)
		}
	}
	if errors.As(err, &problem) {
		fmt.Println(problem.Status, problem.Type)
	}
	// Output:
	// /0/priority must be -10 to 10
	// 422 urn:windlass:problem:invalid
}

// Walk through all jobs of a type. A page may be empty and still have a Next.
func ExampleClient_List() {
	url, stop := exampleAPI()
	defer stop()
	ctx := context.Background()
	client, err := httpclient.New(httpclient.Options{URL: url})
	if err != nil {
		log.Fatal(err)
	}
	five := make([]jobs.New, 5)
	for i := range five {
		five[i] = jobs.New{Type: "greet", Payload: json.RawMessage(`{"name":"Ada"}`), Delay: time.Hour}
	}
	if _, err := client.Submit(ctx, jobs.Submission{Jobs: five}); err != nil {
		log.Fatal(err)
	}
	query := store.ListQuery{Type: "greet", Limit: 2}
	for n := 0; ; {
		page, err := client.List(ctx, query)
		if err != nil {
			log.Fatal(err)
		}
		n += len(page.Jobs)
		if page.Next == "" {
			fmt.Println(n, "jobs")
			break
		}
		query.Before = page.Next
	}
	// Output: 5 jobs
}

// exampleAPI serves an API with a worker, for the examples.
func exampleAPI() (url string, stop func()) {
	dir, err := os.MkdirTemp("", "windlass")
	if err != nil {
		log.Fatal(err)
	}
	s, err := localapi.Start(dir, registry(), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Work(); err != nil {
		log.Fatal(err)
	}
	return s.URL, func() {
		if err := errors.Join(s.Close(), os.RemoveAll(dir)); err != nil {
			log.Print(err)
		}
	}
}
