package httpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// ErrAnswer marks an answer that is no answer of a Windlass API: not JSON, too large, or of another shape.
var ErrAnswer = errors.New("the answer is not one of a Windlass API")

const (
	maxAnswerBytes = 64 << 20 // a submission has at most 16 MiB, and its answer repeats the payloads
	backoffFirst   = 250 * time.Millisecond
	maxRetryAfter  = time.Minute // where the API wants to be left alone for longer, the caller decides
	drainBytes     = 4 << 10     // of an answer that nobody reads, so that its connection can be used again
)

// request is one call of the API.
type request struct {
	method, path string
	query        url.Values
	body         []byte // JSON; nil: none
	key          string // as the Idempotency-Key header has it; empty: none
	reads        bool   // it changes nothing
	once         bool   // it is never repeated
}

func get(path string, query url.Values) *request {
	return &request{method: http.MethodGet, path: path, query: query, reads: true}
}

// unsent marks an error before which nothing of the request was sent.
type unsent struct{ error }

func (e *unsent) Unwrap() error { return e.error }

// do sends a request, again where that is safe, and reads the answer into a value; nil: the answer has no body.
func (c *Client) do(ctx context.Context, r *request, into any) (http.Header, error) {
	unknown := false // whether an earlier attempt may have taken effect
	for attempt := 1; ; attempt++ {
		header, err := c.send(ctx, r, into)
		if err == nil {
			return header, nil
		}
		unknown = unknown || errors.Is(err, jobs.ErrOutcomeUnknown)
		wait, again := c.again(r, err, attempt)
		if !again || !sleep(ctx, wait) {
			if unknown && !errors.Is(err, jobs.ErrOutcomeUnknown) && !settles(err) {
				err = fmt.Errorf("%w: an earlier attempt: %w", jobs.ErrOutcomeUnknown, err)
			}
			return nil, err
		}
	}
}

// settles reports whether an answer to a repetition also tells what became of the earlier attempts: the key belongs to
// another request, so they stored nothing; or to this one, whose jobs have been deleted since.
func settles(err error) bool {
	return errors.Is(err, jobs.ErrKeyReused) || errors.Is(err, jobs.ErrKeyGone)
}

// transient reports whether a status says that the same request may do better in a moment.
func transient(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// again decides whether a request is sent once more, and after how long.
func (c *Client) again(r *request, err error, attempt int) (time.Duration, bool) {
	if r.once || attempt >= c.attempts {
		return 0, false
	}
	var nothing *unsent
	repeatable := r.reads || r.key != "" || errors.As(err, &nothing)
	wait := backoffFirst << (attempt - 1)
	wait = wait/2 + rand.N(wait/2+1) // so that many clients do not come back at the same moment
	var p *Problem
	switch {
	case errors.Is(err, ErrAnswer) || errors.Is(err, ErrOptions) || !repeatable:
		return 0, false
	case errors.As(err, &p):
		busyKey := p.Status == http.StatusConflict && errors.Is(err, jobs.ErrBusy)
		return max(wait, p.RetryAfter), (transient(p.Status) || busyKey) && p.RetryAfter <= maxRetryAfter
	default: // the connection failed
		return wait, true
	}
}

// sleep waits, and reports whether there is still time for another attempt. Where ctx would end first it does not
// begin to wait.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// send makes one attempt.
func (c *Client) send(ctx context.Context, r *request, into any) (http.Header, error) {
	if ctx.Err() != nil {
		return nil, failed(ctx, r, false, context.Cause(ctx))
	}
	// Whether something may have been sent: a transport that tells that it looks for a connection also tells that it
	// has one. A transport that tells neither is taken to have sent.
	var asked, connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := c.request(traced, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, failed(ctx, r, connected.Load() || !asked.Load(), err)
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, drainBytes)
		_ = resp.Body.Close()
	}()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, problemOf(resp, r)
	}
	if into == nil {
		if resp.StatusCode != http.StatusNoContent {
			return nil, unreadable(r, fmt.Sprintf("its status is %d, not 204", resp.StatusCode))
		}
		return resp.Header, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil {
		return nil, failed(ctx, r, true, err)
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case media != "application/json":
		return nil, unreadable(r, "it is not JSON")
	case len(body) > maxAnswerBytes:
		return nil, unreadable(r, fmt.Sprintf("it is larger than %d bytes", maxAnswerBytes))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, unreadable(r, err.Error())
	}
	if c.onAnswer != nil {
		c.onAnswer(body)
	}
	return resp.Header, nil
}

// request makes the HTTP request.
func (c *Client) request(ctx context.Context, r *request) (*http.Request, error) {
	u := c.base.Scheme + "://" + c.base.Host + strings.TrimRight(c.base.EscapedPath(), "/") + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	req.Header = c.header.Clone()
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	return req, nil
}

// failed makes the error of a request without an answer.
func failed(ctx context.Context, r *request, sent bool, err error) error {
	if ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	switch {
	case sent && !r.reads:
		return fmt.Errorf("%w: %w", jobs.ErrOutcomeUnknown, err)
	case sent:
		return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	default:
		return &unsent{fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)}
	}
}

// unreadable makes the error of an answer that cannot be read. What the request asked for may have been done.
func unreadable(r *request, detail string) error {
	err := fmt.Errorf("%w: %s", ErrAnswer, detail)
	if r.reads {
		return err
	}
	return fmt.Errorf("%w: %w", jobs.ErrOutcomeUnknown, err)
}
