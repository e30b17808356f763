package handlers

import (
	"cmp"
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Email is the payload of an email job.
type Email struct {
	To           string   `json:"to,omitempty" doc:"Who receives it." format:"email" maxLength:"320" default:"someone@example.com"`
	Subject      string   `json:"subject,omitempty" doc:"The subject line." maxLength:"998" default:"Hello"`
	Body         string   `json:"body,omitempty" doc:"The text."`
	DurationMS   *int64   `json:"duration_ms,omitempty" doc:"How long an attempt takes, in milliseconds; 0 does nothing." minimum:"0" maximum:"3600000" default:"200"`
	FailRate     *float64 `json:"fail_rate,omitempty" doc:"The share of attempts that fail; default: FAIL_RATE of the worker." minimum:"0" maximum:"1"`
	FailAttempts int      `json:"fail_attempts,omitempty" doc:"The number of attempts that fail before one succeeds." minimum:"0" maximum:"100"`
}

// EmailResult is the result of an email job.
type EmailResult struct {
	To        string `json:"to"`
	MessageID string `json:"message_id"`
}

const emailDuration = 200 * time.Millisecond

var emailFailures = []string{
	"connection refused by the mail relay",
	"421 4.7.0 try again later: too many connections",
	"451 4.3.0 mailbox temporarily unavailable",
	"TLS handshake with the mail relay timed out",
}

type email struct{ Options }

func (e email) send(ctx context.Context, run *jobs.Run, in Email) (any, error) {
	p, err := e.plan(run, in.DurationMS, in.FailRate, in.FailAttempts, emailDuration, emailFailures)
	if err != nil {
		return nil, err
	}
	if err := p.steps(ctx, run, "Connecting to the mail relay", "Sending the message"); err != nil {
		return nil, err
	}
	// The message id is made from the job's id. A second attempt sends the same id, so a mail server can drop the
	// duplicate.
	return EmailResult{To: cmp.Or(in.To, "someone@example.com"), MessageID: "<" + run.Job.ID + "@windlass.invalid>"}, nil
}
