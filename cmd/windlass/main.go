// Command windlass submits jobs from the command line, looks after them, and shows how the system is doing. It talks
// to the HTTP API, except for the commands that are processes, or that open a database themselves. Each command has a
// file of its own, and a line in newRoot.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	sh := &shell{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(sh.run(ctx, os.Args[1:]))
}

const about = `Submit jobs to Windlass, look after them, and see how the system is doing.

The API is at WINDLASS_URL (http://localhost:8000 unless set); WINDLASS_TOKEN is sent as a bearer token.
With --json the commands print the API's JSON, for programs. NO_COLOR turns colours off.

Exit codes:
    0    done; with --wait or --watch: the job is completed
    1    the request was refused; with --wait or --watch: the job is dead or cancelled
    2    the command line is wrong
    3    the API cannot be reached, or cannot do this now: nothing was changed
    4    it is not known whether the request took effect
  130    interrupted while waiting`

// newRoot puts the commands together.
func newRoot(sh *shell) *cobra.Command {
	root := &cobra.Command{
		Use: "windlass", Short: "Submit jobs and look after them", Long: about,
		SilenceUsage: true, SilenceErrors: true, // run says what went wrong
	}
	flags := root.PersistentFlags()
	flags.StringVar(&sh.url, "url", "", "address of the API (default WINDLASS_URL, or "+defaultURL+")")
	flags.StringVar(&sh.token, "token", "", "bearer token (default WINDLASS_TOKEN, which other users cannot see)")
	flags.StringVar(&sh.tokenFile, "token-file", "", "file that holds the bearer token")
	flags.BoolVar(&sh.json, "json", false, "print the API's JSON")

	const jobs, system, processes = "jobs", "system", "processes"
	root.AddGroup(&cobra.Group{ID: jobs, Title: "Jobs:"}, &cobra.Group{ID: system, Title: "System:"},
		&cobra.Group{ID: processes, Title: "Processes and their database:"})
	root.SetHelpCommandGroupID(system)
	root.SetCompletionCommandGroupID(system)
	add := func(group string, command *cobra.Command) {
		command.GroupID = group
		root.AddCommand(command)
	}
	add(jobs, newSubmit(sh))
	add(jobs, newLs(sh))
	add(jobs, newShow(sh))
	add(jobs, newRetry(sh))
	add(jobs, newCancel(sh))
	add(jobs, newRm(sh))
	add(jobs, newDead(sh))
	add(system, newQueues(sh))
	add(system, newWorkers(sh))
	add(system, newTypes(sh))
	add(system, newStatus(sh))
	add(system, newVersion(sh))
	add(processes, newDev(sh))
	add(processes, newAPI(sh))
	add(processes, newWorker(sh))
	add(processes, newMigrate(sh))
	add(processes, newDoctor(sh))
	add(processes, newTokens(sh))
	add(processes, newAudit(sh))
	add(processes, newExport(sh))
	add(processes, newImport(sh))
	return root
}

// shell is what the commands have around them: streams, environment, and the flags that they all know.
type shell struct {
	stdin  io.Reader
	stdout io.Writer // a command writes to out
	stderr io.Writer
	getenv func(string) string

	url, token string
	tokenFile  string
	json, wide bool

	out     *bufio.Writer
	color   bool // stdout is a terminal that shows colours
	talks   bool // stderr is a terminal: somebody reads notes
	started bool // a command has begun: what fails now is no mistake in the command line
	answer  []byte
}

// run does what a command line says and returns the exit code.
func (sh *shell) run(ctx context.Context, args []string) int {
	sh.out = bufio.NewWriter(sh.stdout)
	sh.color = terminal(sh.stdout) && sh.getenv("NO_COLOR") == "" && sh.getenv("TERM") != "dumb"
	sh.talks = terminal(sh.stderr)
	root := newRoot(sh)
	root.SetArgs(args)
	root.SetIn(sh.stdin)
	root.SetOut(sh.out)
	root.SetErr(sh.stderr)
	sh.mark(root)
	err := root.ExecuteContext(ctx)
	if err != nil && !sh.started {
		err = usageError(err.Error())
	}
	if flushed := sh.out.Flush(); err == nil && flushed != nil {
		err = flushed
	}
	text, code := sh.describe(ctx, err)
	if text != "" {
		fmt.Fprintln(sh.stderr, text)
	}
	return code
}

// mark notes when a command begins.
func (sh *shell) mark(command *cobra.Command) {
	if inner := command.RunE; inner != nil {
		command.RunE = func(c *cobra.Command, args []string) error {
			sh.started = true
			return inner(c, args)
		}
	}
	for _, c := range command.Commands() {
		sh.mark(c)
	}
}

const (
	defaultURL    = "http://localhost:8000"
	attempts      = 3 // of a request: a person waits
	dialTimeout   = 5 * time.Second
	answerTimeout = 30 * time.Second
)

// address is where the API is.
func (sh *shell) address() string {
	for _, url := range []string{sh.url, sh.getenv("WINDLASS_URL")} {
		if url != "" {
			return url
		}
	}
	return defaultURL
}

// api returns the client of the API. It leaves the newest answer in sh.answer.
func (sh *shell) api() (*httpclient.Client, error) { return sh.connect(attempts) }

func (sh *shell) connect(attempts int) (*httpclient.Client, error) {
	token := sh.token
	switch {
	case token != "" && sh.tokenFile != "":
		return nil, usageError("--token and --token-file exclude each other")
	case sh.tokenFile != "":
		raw, err := os.ReadFile(sh.tokenFile)
		if err != nil {
			return nil, usageError("--token-file: " + err.Error())
		}
		if token = strings.TrimSpace(string(raw)); token == "" {
			return nil, usageError("--token-file: the file is empty")
		}
	case token == "":
		token = sh.getenv("WINDLASS_TOKEN")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	client, err := httpclient.New(httpclient.Options{
		URL: sh.address(), Token: token, UserAgent: "windlass/" + version.Version(), Attempts: attempts,
		HTTPClient: &http.Client{Transport: transport, Timeout: answerTimeout},
		OnAnswer:   func(body []byte) { sh.answer = append(sh.answer[:0], body...) },
	})
	if errors.Is(err, httpclient.ErrOptions) {
		return nil, usageError(err.Error() + " (WINDLASS_URL or --url, WINDLASS_TOKEN or --token)")
	}
	return client, err
}

// terminal reports whether somebody sits at the other end.
func terminal(stream any) bool {
	file, is := stream.(*os.File)
	if !is {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
