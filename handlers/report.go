package handlers

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Report is the payload of a report job.
type Report struct {
	Title        string   `json:"title,omitempty" doc:"The title on the first page." maxLength:"200" default:"Untitled report"`
	Format       string   `json:"format,omitempty" doc:"The kind of file." enum:"pdf,csv,html" default:"pdf"`
	Rows         *int64   `json:"rows,omitempty" doc:"How many rows it covers." minimum:"0" maximum:"10000000" default:"1000"`
	DurationMS   *int64   `json:"duration_ms,omitempty" doc:"How long an attempt takes, in milliseconds; 0 does nothing." minimum:"0" maximum:"3600000" default:"4000"`
	FailRate     *float64 `json:"fail_rate,omitempty" doc:"The share of attempts that fail; default: FAIL_RATE of the worker." minimum:"0" maximum:"1"`
	FailAttempts int      `json:"fail_attempts,omitempty" doc:"The number of attempts that fail before one succeeds." minimum:"0" maximum:"100"`
}

// ReportResult is the result of a report job.
type ReportResult struct {
	File  string `json:"file"`
	Rows  int64  `json:"rows"`
	Pages int64  `json:"pages"`
}

const (
	reportDuration = 4 * time.Second
	reportPages    = 6 // parts reported as progress, for any number of rows
	rowsPerPage    = 50
)

var reportFailures = []string{
	"query of the sales database timed out after 30 s",
	"the data warehouse answered 503 Service Unavailable",
	"deadlock detected while reading orders",
	"upload of the report failed: connection reset by peer",
}

type report struct{ Options }

func (r report) build(ctx context.Context, run *jobs.Run, in Report) (any, error) {
	p, err := r.plan(run, in.DurationMS, in.FailRate, in.FailAttempts, reportDuration, reportFailures)
	if err != nil {
		return nil, err
	}
	rows := int64(1000)
	if in.Rows != nil {
		rows = *in.Rows
	}
	if err := p.steps(ctx, run, r.messages(rows)...); err != nil {
		return nil, err
	}
	return ReportResult{
		File: run.Job.ID + "." + cmp.Or(in.Format, "pdf"), Rows: rows, Pages: max(1, (rows+rowsPerPage-1)/rowsPerPage),
	}, nil
}

func (report) messages(rows int64) []string {
	messages := []string{fmt.Sprintf("Reading %d rows", rows), "Adding up"}
	for page := 1; page <= reportPages; page++ {
		messages = append(messages, fmt.Sprintf("Laying out part %d of %d", page, reportPages))
	}
	return append(messages, "Uploading the file")
}
