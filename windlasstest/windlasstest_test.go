package windlasstest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/windlasstest"
)

type Receipt struct {
	Order int `json:"order" minimum:"1"`
}

var sendReceipt = windlass.Define[Receipt]("send-receipt")

func send(_ context.Context, run *jobs.Run, in Receipt) (any, error) {
	if in.Order == 13 && run.Job.Attempts < 3 {
		return nil, errors.New("the printer is out of paper")
	}
	return fmt.Sprintf("receipt %d", in.Order), nil
}

func TestRun(t *testing.T) {
	if result, err := windlasstest.Run(t, sendReceipt, send, Receipt{Order: 7}); err != nil || result != "receipt 7" {
		t.Errorf("%v, %v", result, err)
	}
	if _, err := windlasstest.Run(t, sendReceipt, send, Receipt{Order: 13}); err == nil {
		t.Error("the handler's error is lost")
	}
}

func TestSubmitted(t *testing.T) {
	app := windlasstest.New(t)
	for order := 1; order <= 3; order++ {
		if _, err := sendReceipt.Submit(t.Context(), app, Receipt{Order: order}, windlass.In(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	list := windlasstest.Submitted(t, app, sendReceipt)
	if len(list) != 3 || list[0].Payload.Order != 1 || list[2].Payload.Order != 3 || list[0].Job.Status != jobs.Pending {
		t.Errorf("%+v", list)
	}
}

// Four hours of delay and two retries take no time.
func TestClockMovesJobsOn(t *testing.T) {
	app := windlasstest.New(t)
	attempted := make(chan int, 3)
	sendReceipt.Handle(app.App, func(ctx context.Context, run *jobs.Run, in Receipt) (any, error) {
		attempted <- run.Job.Attempts
		return send(ctx, run, in)
	})
	app.Start()
	job, err := sendReceipt.Submit(t.Context(), app, Receipt{Order: 13}, windlass.In(4*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for attempt := 1; attempt <= 3; attempt++ {
		app.Clock.Advance(4 * time.Hour)
		select {
		case n := <-attempted:
			if n != attempt {
				t.Fatalf("attempt %d, want %d", n, attempt)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("attempt %d did not come", attempt)
		}
		if attempt < 3 {
			app.WaitState(job.ID, jobs.StateRetrying)
		}
	}
	if done := app.Wait(job.ID); string(done.Result) != `"receipt 13"` {
		t.Errorf("%s", done.Result)
	}
}

func TestWaitReturnsADeadJob(t *testing.T) {
	app := windlasstest.New(t)
	sendReceipt.Handle(app.App, func(context.Context, *jobs.Run, Receipt) (any, error) {
		return nil, jobs.Permanent(errors.New("no such order"))
	})
	app.Start()
	job, err := sendReceipt.Submit(t.Context(), app, Receipt{Order: 1})
	if err != nil {
		t.Fatal(err)
	}
	if dead := app.Wait(job.ID); dead.State(time.Now()) != jobs.StateDead || dead.Error != "no such order" {
		t.Errorf("%+v", dead)
	}
}
