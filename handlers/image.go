package handlers

import (
	"context"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Image is the payload of an image job.
type Image struct {
	Width        *int64   `json:"width,omitempty" doc:"In pixels." minimum:"1" maximum:"4096" default:"320"`
	Height       *int64   `json:"height,omitempty" doc:"In pixels." minimum:"1" maximum:"4096" default:"240"`
	DurationMS   *int64   `json:"duration_ms,omitempty" doc:"How long an attempt computes, in milliseconds; 0 does nothing." minimum:"0" maximum:"3600000" default:"2000"`
	FailRate     *float64 `json:"fail_rate,omitempty" doc:"The share of attempts that fail; default: FAIL_RATE of the worker." minimum:"0" maximum:"1"`
	FailAttempts int      `json:"fail_attempts,omitempty" doc:"The number of attempts that fail before one succeeds." minimum:"0" maximum:"100"`
}

// ImageResult is the result of an image job.
type ImageResult struct {
	Width    int64  `json:"width"`
	Height   int64  `json:"height"`
	Frames   int64  `json:"frames"`   // complete pictures rendered, each with more iterations than the one before
	Checksum string `json:"checksum"` // CRC-32 of the last row
}

const (
	imageDuration = 2 * time.Second
	maxSide       = 4096
)

var imageFailures = []string{
	"cannot decode the source: unexpected end of file",
	"the object store answered 500 Internal Server Error",
	"out of scratch space while writing a tile",
}

type image struct{ Options }

// render computes row by row until its time is over. It checks the context and the clock before each row; a row takes
// at most about ten milliseconds. A handler that computes must check by itself: nothing can stop it from outside.
func (i image) render(ctx context.Context, run *jobs.Run, in Image) (any, error) {
	p, err := i.plan(run, in.DurationMS, in.FailRate, in.FailAttempts, imageDuration, imageFailures)
	if err != nil {
		return nil, err
	}
	result := ImageResult{Width: 320, Height: 240}
	for _, side := range []struct {
		name string
		in   *int64
		to   *int64
	}{{"width", in.Width, &result.Width}, {"height", in.Height, &result.Height}} {
		if side.in == nil {
			continue
		}
		if *side.to = *side.in; *side.in < 1 || *side.in > maxSide {
			return nil, jobs.Permanent(fmt.Errorf("%s must be 1 to %d", side.name, maxSide))
		}
	}
	if p.duration == 0 {
		return result, p.failure
	}

	pixels := make([]byte, result.Width)
	start := time.Now()
	for y := int64(0); ; {
		done := float64(time.Since(start)) / float64(p.duration)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case p.failure != nil && done >= p.failAt:
			return nil, p.failure
		case done >= 1:
			result.Checksum = fmt.Sprintf("%08x", crc32.ChecksumIEEE(pixels))
			return result, nil
		}
		mandelbrotRow(pixels, y, result.Height, 64+result.Frames%192)
		if y%32 == 0 {
			run.Progress(100*done, fmt.Sprintf("Frame %d, row %d of %d", result.Frames+1, y+1, result.Height))
		}
		if y++; y == result.Height {
			y = 0
			result.Frames++
		}
	}
}

// mandelbrotRow computes one row of the set: for each pixel the number of steps, at most limit, until it escapes.
func mandelbrotRow(pixels []byte, y, height, limit int64) {
	for x := range pixels {
		cr := 3.0*float64(x)/float64(len(pixels)) - 2.2
		ci := 2.4*float64(y)/float64(height) - 1.2
		var zr, zi float64
		n := int64(0)
		for ; n < limit && zr*zr+zi*zi <= 4; n++ {
			zr, zi = zr*zr-zi*zi+cr, 2*zr*zi+ci
		}
		pixels[x] = byte(n)
	}
}
