package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs"
)

// The exit codes: see about.
const (
	exitDone        = 0
	exitRefused     = 1
	exitUsage       = 2
	exitUnavailable = 3
	exitUnknown     = 4
	exitInterrupted = 130 // 128 and the number of SIGINT, as in a shell
)

// usageError is a mistake in the command line.
type usageError string

func (e usageError) Error() string { return string(e) }

// arguments checks how many there are.
func arguments(least, most int) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usageError("wrong number of arguments; it goes like this: " + command.UseLine())
		}
		return nil
	}
}

// exitError ends the program with a code. Everything has been said but text, which may be empty.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// describe says what went wrong and what to do, and gives the exit code. The text is empty where there is nothing to
// say.
func (sh *shell) describe(ctx context.Context, err error) (text string, code int) {
	var usage usageError
	var exit *exitError
	var problem *httpclient.Problem
	var invalid *jobs.InvalidError
	answered := errors.As(err, &problem)
	switch {
	case err == nil:
		return "", exitDone
	case errors.As(err, &exit):
		return exit.text, exit.code
	case errors.As(err, &usage):
		return sentence(clean(string(usage))) + "\nRun windlass help, or add --help, to see how it goes.", exitUsage
	case errors.Is(err, syscall.EPIPE):
		return "", exitRefused // who reads our output has seen enough
	case errors.Is(err, jobs.ErrOutcomeUnknown):
		why := "the connection broke before the answer was there"
		if answered {
			why = problem.Error()
		} else if r := reason(err); r != "" {
			why = r
		}
		return "It is not known whether this took effect: " + sentence(clean(why)) + "\n" +
			"Look with windlass ls before you repeat it. A submission with --key can be repeated safely.", exitUnknown
	case ctx.Err() != nil:
		return "Interrupted.", exitInterrupted
	case errors.Is(err, jobs.ErrUnavailable) && answered:
		return "The API at " + sh.address() + " cannot do this now: " + sentence(clean(problem.Detail)), exitUnavailable
	case errors.Is(err, jobs.ErrUnavailable):
		return "The API at " + sh.address() + " cannot be reached: " + clean(reason(err)) +
			".\nIs it running? Set WINDLASS_URL or --url if it is elsewhere.", exitUnavailable
	case errors.Is(err, httpclient.ErrAnswer):
		return "What answers at " + sh.address() + " is not the Windlass API. " +
			"Set WINDLASS_URL or --url to the address of the API.", exitUnavailable
	case answered:
		return sh.refusal(problem), exitRefused
	case errors.As(err, &invalid): // found before it was sent
		var b strings.Builder
		b.WriteString("The submission is not valid:")
		for _, f := range invalid.Fields {
			fmt.Fprintf(&b, "\n  %s", strings.TrimSpace(strings.TrimPrefix(f.Pointer, "/0/")+" "+f.Detail))
		}
		return b.String(), exitUsage
	default:
		return sentence(clean(err.Error())), exitRefused
	}
}

// refusal says why the API does not do what it was asked for.
func (sh *shell) refusal(p *httpclient.Problem) string {
	switch {
	case p.Status == http.StatusUnauthorized, p.Status == http.StatusForbidden && len(p.Errors) == 0:
		text := "The API at " + sh.address() + " does not let you do this. Set WINDLASS_TOKEN to a token that may."
		if p.Status == http.StatusForbidden && p.Detail != "" {
			text += " " + sentence(clean(p.Detail))
		}
		return text
	case p.Status == http.StatusNotFound && !errors.Is(p, jobs.ErrNotFound):
		return "There is no Windlass API at " + sh.address() + ", or it is too old for this command. " +
			"Check WINDLASS_URL."
	}
	var b strings.Builder
	if len(p.Errors) == 0 {
		fmt.Fprintf(&b, "%s: %s", clean(p.Title), sentence(clean(p.Detail)))
	} else {
		b.WriteString(clean(p.Title) + ":")
	}
	for _, f := range p.Errors {
		where := f.Parameter
		if where == "" {
			where = strings.TrimPrefix(f.Pointer, "/")
		}
		fmt.Fprintf(&b, "\n  %s", strings.TrimSpace(clean(where+" "+f.Detail)))
		if where == "type" {
			b.WriteString(" (see windlass types)")
		}
	}
	return b.String()
}

// reason is the part of a failed connection's error that tells a person something.
func reason(err error) string {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	var request *url.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &name):
		return "there is no host " + name.Name
	case errors.As(err, &certificate):
		return "its certificate is not trusted: " + certificate.Err.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it did not answer in time"
	case errors.As(err, &request):
		return request.Err.Error()
	default:
		return err.Error()
	}
}

// sentence gives a text a capital letter and a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
