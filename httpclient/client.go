// Package httpclient submits jobs to Windlass over HTTP and looks after them. It is for programs that should not hold
// the password of a database: they need the address of the API, and a token where one is asked for.
//
// A [Client] has the methods of engine.Client, with the same arguments, answers and errors, so that code can take
// either through an interface. What HTTP does not carry is said at the methods.
//
// # Errors
//
// An answer that is no success is a [*Problem]. It wraps the error of package jobs that fits, as the engine would
// return it: errors.Is(err, jobs.ErrNotFound) and errors.As(err, *(*jobs.InvalidError)) work. Where the API gave no
// answer the error wraps jobs.ErrUnavailable (nothing was changed) or jobs.ErrOutcomeUnknown (the request was sent; it
// may have taken effect). An answer that no Windlass API would give wraps [ErrAnswer].
//
// # Repetition
//
// Requests that only read, and submissions with a key, are repeated where the connection fails, and where the answer
// is 429, 502, 503 or 504, or 409 because the key is in use at this moment. Any other request is repeated only where
// nothing of it can have been sent. Between two attempts there are 250 ms, then twice as long each time, and at least
// what Retry-After says. A call ends early where its context would end in the meantime, or where Retry-After is above
// one minute. [Options].Attempts limits the attempts. A submission with a key that failed in the middle wraps
// jobs.ErrOutcomeUnknown even where the last attempt stored nothing, because an earlier one may have.
//
// Redirects are not followed: the token is for one host. An answer may have 64 MiB.
package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Options say where the API is and how to talk to it. URL is required.
type Options struct {
	// URL is the address of the API: http or https, for example "http://localhost:8000" or
	// "https://example.com/windlass/api". Its path precedes the path of every request. It holds no user, query or
	// fragment.
	URL string

	// Token is sent as "Authorization: Bearer TOKEN". None is sent if it is empty. It consists of visible ASCII
	// characters.
	Token string

	// HTTPClient sends the requests. Its CheckRedirect is not used. If nil, one is made that keeps up to 64 idle
	// connections and gives an attempt 30 s.
	HTTPClient *http.Client

	// UserAgent names the program to the API; "windlass-httpclient" if empty.
	UserAgent string

	// Attempts is how often a call may send its request: 1 to 20, 5 if 0. See the package's comment for what is
	// repeated.
	Attempts int

	// OnAnswer is called with the body of each answer that is a success and JSON, before the call that it belongs to
	// returns, by the goroutine of that call. It is for programs that pass the API's JSON on. It must not keep the
	// slice. Nil: nobody looks.
	OnAnswer func(body []byte)
}

// ErrOptions is what New returns for options that cannot be used.
var ErrOptions = errors.New("httpclient: the options are not valid")

const (
	defaultUserAgent = "windlass-httpclient"
	defaultAttempts  = 5
	maxAttempts      = 20
	attemptTimeout   = 30 * time.Second
	idleConnections  = 64
)

// Client talks to one API. Many goroutines may share one, and should: they share its connections.
type Client struct {
	base     *url.URL
	http     *http.Client
	header   http.Header
	attempts int
	onAnswer func([]byte)
}

// New returns a Client. It sends nothing yet. The error wraps ErrOptions and names the option; it never holds the
// token.
func New(opts Options) (*Client, error) {
	base, err := parseURL(opts.URL)
	switch {
	case err != nil:
		return nil, err
	case !visible(opts.Token, false):
		return nil, fmt.Errorf("%w: Token must consist of visible ASCII characters", ErrOptions)
	case !visible(opts.UserAgent, true):
		return nil, fmt.Errorf("%w: UserAgent must consist of visible ASCII characters and spaces", ErrOptions)
	case opts.Attempts < 0 || opts.Attempts > maxAttempts:
		return nil, fmt.Errorf("%w: Attempts must be 1 to %d, or 0 for %d", ErrOptions, maxAttempts, defaultAttempts)
	}
	c := &Client{base: base, header: http.Header{}, attempts: opts.Attempts, onAnswer: opts.OnAnswer}
	if c.attempts == 0 {
		c.attempts = defaultAttempts
	}
	if opts.UserAgent == "" {
		opts.UserAgent = defaultUserAgent
	}
	c.header.Set("User-Agent", opts.UserAgent)
	c.header.Set("Accept", "application/json, application/problem+json")
	if opts.Token != "" {
		c.header.Set("Authorization", "Bearer "+opts.Token)
	}
	if opts.HTTPClient == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = idleConnections
		opts.HTTPClient = &http.Client{Transport: transport, Timeout: attemptTimeout}
	}
	own := *opts.HTTPClient // a copy: the caller's stays as it is
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &own
	return c, nil
}

// parseURL checks Options.URL. Its errors do not repeat the value, which may hold a password by mistake.
func parseURL(text string) (*url.URL, error) {
	bad := func(rule string) (*url.URL, error) { return nil, fmt.Errorf("%w: URL %s", ErrOptions, rule) }
	if text == "" {
		return bad("is required")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return bad("cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https":
		return bad("must begin with http:// or https://")
	case u.Hostname() == "":
		return bad("must name a host")
	case u.User != nil:
		return bad("must not hold a user or password: use Token")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return bad("must not have a query or fragment")
	}
	return u, nil
}

// visible reports whether s may stand in a header: visible ASCII, with spaces where they are allowed.
func visible(s string, spaces bool) bool {
	for i := range len(s) {
		if c := s[i]; c > '~' || c < ' ' || c == ' ' && !spaces {
			return false
		}
	}
	return true
}

// Submit stores jobs, all or none, and returns when they are durable. It has the contract of engine.Client.Submit, but
// for this:
//   - A job's ID cannot be chosen. Delay is rounded up to whole seconds.
//   - Of s.Key, only Key is sent: 1 to 255 visible ASCII characters. The API scopes keys by token, so Scope must be
//     empty, and it makes the fingerprint from the request.
//   - s.Jobs is not changed. The jobs in the receipt lack what HTTP does not show: see Get.
//
// Errors: *jobs.InvalidError with pointers that begin with the job's index ("/0/queue"); jobs.ErrKeyReused,
// jobs.ErrKeyGone, jobs.ErrBusy, jobs.ErrRejected and jobs.ErrUnavailable, where nothing was stored;
// jobs.ErrOutcomeUnknown: repeat it with the same key to find out.
func (c *Client) Submit(ctx context.Context, s jobs.Submission) (jobs.Receipt, error) {
	r, err := submission(s)
	if err != nil {
		return jobs.Receipt{}, fmt.Errorf("submit: %w", err)
	}
	var list struct {
		Jobs []jobDoc `json:"jobs"`
	}
	var into any = &list
	if len(s.Jobs) == 1 {
		list.Jobs = make([]jobDoc, 1)
		into = &list.Jobs[0]
	}
	header, err := c.do(ctx, r, into)
	nameless := func(d jobDoc) bool { return d.job.ID == "" }
	if err == nil && (len(list.Jobs) != len(s.Jobs) || slices.ContainsFunc(list.Jobs, nameless)) {
		err = unreadable(r, "it does not hold the jobs")
	}
	if err != nil {
		enginePointers(err, len(s.Jobs) == 1)
		return jobs.Receipt{}, fmt.Errorf("submit: %w", err)
	}
	return jobs.Receipt{Jobs: toJobs(list.Jobs), Replayed: header.Get("Idempotency-Replayed") == "true"}, nil
}

// enginePointers makes the pointers of an InvalidError begin with the job's index, as the engine's do. HTTP's point
// into the body: "/queue" for one job, "/jobs/0/queue" for several.
func enginePointers(err error, single bool) {
	var invalid *jobs.InvalidError
	if !errors.As(err, &invalid) {
		return
	}
	for i := range invalid.Fields {
		f := &invalid.Fields[i]
		if single {
			f.Pointer = "/0" + f.Pointer
		} else {
			f.Pointer = strings.TrimPrefix(f.Pointer, "/jobs")
		}
	}
}

// Get returns a job with its unsuccessful attempts, oldest first. HTTP does not show Fence, LeaseLosses and DeadlineAt
// of a job: they are zero. Errors: jobs.ErrNotFound, also for an id that is none; jobs.ErrUnavailable.
func (c *Client) Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error) {
	path, err := jobPath(id, "")
	if err != nil {
		return jobs.Job{}, nil, fmt.Errorf("get job: %w", err)
	}
	d, err := c.job(ctx, get(path, nil))
	if err != nil {
		return jobs.Job{}, nil, fmt.Errorf("get job: %w", err)
	}
	return d.job, d.history, nil
}

// job sends a request whose answer holds a job.
func (c *Client) job(ctx context.Context, r *request) (d jobDoc, err error) {
	_, err = c.do(ctx, r, &d)
	if err == nil && d.job.ID == "" {
		err = unreadable(r, "it holds no job")
	}
	return d, err
}

const (
	waitFirst = 50 * time.Millisecond // between two looks of Wait; it grows
	waitMax   = 2 * time.Second
)

// Wait returns a job as soon as it is completed or failed. It asks again and again: first after 50 ms, then at growing
// intervals up to 2 s. While the API is out of reach it goes on trying. Errors: jobs.ErrNotFound, also where the job is
// deleted meanwhile; the cause of ctx's end; *Problem where the API refuses to tell.
func (c *Client) Wait(ctx context.Context, id string) (jobs.Job, error) {
	for wait := waitFirst; ; wait = min(wait*3/2, waitMax) {
		job, _, err := c.Get(ctx, id)
		if err == nil && job.Status.Terminal() {
			return job, nil
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, jobs.ErrUnavailable) {
			return jobs.Job{}, fmt.Errorf("wait: %w", err)
		}
		select {
		case <-ctx.Done():
			return jobs.Job{}, fmt.Errorf("wait: %w", context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}

// List returns a page of jobs, newest first, without payload and result. A page may hold fewer than q.Limit jobs, or
// none, and still have a Next. Limit is 1 to 200; 0 leaves it to the API, which takes 50. Next is a cursor for the
// same filter; pass it as Before. Errors: *Problem with a fault for each parameter that is not valid;
// jobs.ErrUnavailable.
func (c *Client) List(ctx context.Context, q store.ListQuery) (store.Page, error) {
	query := url.Values{}
	put(query, "status", string(q.Status))
	put(query, "state", string(q.State))
	if q.Due {
		query.Set("due", "true")
	}
	return c.list(ctx, "/jobs", query, q)
}

// Dead returns a page of dead jobs, as List does. Status, State and Due of q do not count.
func (c *Client) Dead(ctx context.Context, q store.ListQuery) (store.Page, error) {
	return c.list(ctx, "/dlq", url.Values{}, q)
}

func (c *Client) list(ctx context.Context, path string, query url.Values, q store.ListQuery) (store.Page, error) {
	put(query, "type", q.Type)
	put(query, "queue", q.Queue)
	for name, value := range q.Metadata {
		query.Add("metadata", fields.FormatPair(name, value, ':'))
	}
	put(query, "cursor", q.Before)
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	var page struct {
		Jobs       []jobDoc `json:"jobs"`
		NextCursor string   `json:"next_cursor"`
	}
	if _, err := c.do(ctx, get(path, query), &page); err != nil {
		return store.Page{}, fmt.Errorf("list jobs: %w", err)
	}
	return store.Page{Jobs: toJobs(page.Jobs), Next: page.NextCursor}, nil
}

// put sets a parameter that is not empty. The API refuses empty ones.
func put(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// Retry sends a failed job back, with all its attempts. Errors: jobs.ErrNotFound, jobs.ErrConflict,
// jobs.ErrUnavailable, jobs.ErrOutcomeUnknown.
func (c *Client) Retry(ctx context.Context, id string) (jobs.Job, error) {
	return c.act(ctx, id, "retry")
}

// Cancel ends a pending job, or asks the worker of a processing one to stop; the job tells which. Repeating it is no
// error. Errors: jobs.ErrNotFound; jobs.ErrConflict when the job is completed or dead; jobs.ErrUnavailable,
// jobs.ErrOutcomeUnknown.
func (c *Client) Cancel(ctx context.Context, id string) (jobs.Job, error) {
	return c.act(ctx, id, "cancel")
}

func (c *Client) act(ctx context.Context, id, verb string) (jobs.Job, error) {
	path, err := jobPath(id, "/"+verb)
	if err != nil {
		return jobs.Job{}, fmt.Errorf("%s job: %w", verb, err)
	}
	d, err := c.job(ctx, &request{method: http.MethodPost, path: path})
	if err != nil {
		return jobs.Job{}, fmt.Errorf("%s job: %w", verb, err)
	}
	return d.job, nil
}

// Delete removes a completed or failed job. Errors: jobs.ErrNotFound, jobs.ErrConflict, jobs.ErrUnavailable,
// jobs.ErrOutcomeUnknown.
func (c *Client) Delete(ctx context.Context, id string) error {
	path, err := jobPath(id, "")
	if err == nil {
		_, err = c.do(ctx, &request{method: http.MethodDelete, path: path}, nil)
	}
	if err != nil {
		return fmt.Errorf("delete job: %w", err)
	}
	return nil
}

// uuidPattern is what an id looks like. Nothing else may get into a path: a ".." would make it another one.
var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func jobPath(id, verb string) (string, error) {
	if !uuidPattern.MatchString(id) {
		return "", fmt.Errorf("%w: an id is a UUID", jobs.ErrNotFound)
	}
	return "/jobs/" + id + verb, nil
}

// Redrive sends dead jobs back and returns how many. Over HTTP cancelled jobs are always passed over, as if r.DeadOnly
// were set. With IDs, the other filters and Limit do not count; without, Limit 0 means 1,000. Spread is rounded up to
// whole seconds, at most 24 h. Types and Queues are for stores: with them it is jobs.ErrUnsupported. Errors:
// *jobs.InvalidError, jobs.ErrUnavailable, jobs.ErrOutcomeUnknown.
func (c *Client) Redrive(ctx context.Context, r store.Redrive) (int, error) {
	if len(r.Types)+len(r.Queues) > 0 {
		return 0, fmt.Errorf("redrive: %w: Types and Queues", jobs.ErrUnsupported)
	}
	body, err := json.Marshal(redriveOf(r))
	if err != nil {
		return 0, fmt.Errorf("redrive: %w", err)
	}
	var answer struct {
		Retried int `json:"retried"`
	}
	if _, err := c.do(ctx, &request{method: http.MethodPost, path: "/dlq/retry", body: body}, &answer); err != nil {
		return 0, fmt.Errorf("redrive: %w", err)
	}
	return answer.Retried, nil
}

// Queues returns a page of the queues that have jobs which are not over, or that were used in the last 30 days: those
// with most due jobs first, then those with most jobs under way, then by name. 100 of them if q.Limit is 0. The
// answer is at most 5 s old.
func (c *Client) Queues(ctx context.Context, q store.QueueQuery) (store.QueuePage, error) {
	var answer struct {
		Queues []queueJSON `json:"queues"`
		Total  int         `json:"total"`
		Next   *string     `json:"next_cursor"`
	}
	query := url.Values{}
	if q.Prefix != "" {
		query.Set("prefix", q.Prefix)
	}
	if q.After != "" {
		query.Set("cursor", q.After)
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	if _, err := c.do(ctx, get("/queues", query), &answer); err != nil {
		return store.QueuePage{}, fmt.Errorf("list queues: %w", err)
	}
	page := store.QueuePage{Queues: make([]store.QueueStats, len(answer.Queues)), Total: answer.Total}
	for i, q := range answer.Queues {
		page.Queues[i] = q.stats()
	}
	if answer.Next != nil {
		page.Next = *answer.Next
	}
	return page, nil
}

// Sessions returns the workers that are not dead, oldest first. ExpiresAt is zero. The answer is at most 5 s old.
func (c *Client) Sessions(ctx context.Context) ([]store.Session, error) { return c.workers(ctx, nil) }

// EndedSessions returns the workers that ended in the last 24 hours, the last one first, at most 200. ExpiresAt is
// zero. The answer is at most 5 s old.
func (c *Client) EndedSessions(ctx context.Context) ([]store.Session, error) {
	return c.workers(ctx, url.Values{"state": {string(store.SessionDead)}})
}

// Session returns one worker, dead or not, and the jobs that it runs now, without payload and result: at most 200, the
// longest running first. ExpiresAt is zero. jobs.ErrNotFound: there is no such worker, or it ended more than a day ago.
func (c *Client) Session(ctx context.Context, id string) (store.Session, []jobs.Job, error) {
	var answer struct {
		Worker workerJSON `json:"worker"`
		Jobs   []jobJSON  `json:"jobs"`
	}
	if !uuidPattern.MatchString(id) {
		return store.Session{}, nil, fmt.Errorf("get worker: %w: an id is a UUID", jobs.ErrNotFound)
	}
	if _, err := c.do(ctx, get("/workers/"+id, nil), &answer); err != nil {
		return store.Session{}, nil, fmt.Errorf("get worker: %w", err)
	}
	held := make([]jobs.Job, len(answer.Jobs))
	for i := range answer.Jobs {
		held[i] = answer.Jobs[i].job()
	}
	return answer.Worker.session(), held, nil
}

func (c *Client) workers(ctx context.Context, query url.Values) ([]store.Session, error) {
	var answer struct {
		Workers []workerJSON `json:"workers"`
	}
	if _, err := c.do(ctx, get("/workers", query), &answer); err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	sessions := make([]store.Session, len(answer.Workers))
	for i, w := range answer.Workers {
		sessions[i] = w.session()
	}
	return sessions, nil
}

// Types returns the job types that can be submitted, by name.
func (c *Client) Types(ctx context.Context) ([]jobs.Type, error) {
	var answer struct {
		JobTypes []typeJSON `json:"job_types"`
	}
	if _, err := c.do(ctx, get("/job-types", nil), &answer); err != nil {
		return nil, fmt.Errorf("list job types: %w", err)
	}
	types := make([]jobs.Type, len(answer.JobTypes))
	for i, t := range answer.JobTypes {
		types[i] = t.typ()
	}
	return types, nil
}

// Metrics are the counts that the API gives at /metrics: those of store.Stats without Orphans and Queues, and the
// workers.
type Metrics struct {
	store.Stats
	Workers int // worker processes that live
	Slots   int // jobs that they can run at once
}

// Metrics counts everything. The answer is at most 5 s old.
func (c *Client) Metrics(ctx context.Context) (Metrics, error) {
	var m metricsJSON
	if _, err := c.do(ctx, get("/metrics", nil), &m); err != nil {
		return Metrics{}, fmt.Errorf("read metrics: %w", err)
	}
	return m.metrics(), nil
}

// Readiness says how an API is that can accept jobs.
type Readiness struct {
	Store string // "ok"
	Redis string // "ok"; "degraded": jobs are accepted and run, but may start a moment later
}

// Ready asks whether a job could be accepted now. It asks once. Errors: jobs.ErrUnavailable where none could be.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var answer struct {
		Store string `json:"store"`
		Redis string `json:"redis"`
	}
	r := get("/readyz", nil)
	r.once = true
	if _, err := c.do(ctx, r, &answer); err != nil {
		return Readiness{}, fmt.Errorf("ask whether the API is ready: %w", err)
	}
	return Readiness(answer), nil
}
