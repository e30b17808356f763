package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// healthWithin is how long a process may take to answer: longer than its own patience with the store.
const healthWithin = 3 * time.Second

// Healthcheck asks a process that runs with the settings in environ, on this machine, whether it is ready, writes one
// line that says so or why not, and returns the exit code for it: 0 or 1. It is for container images, which hold
// nothing else that could ask.
func Healthcheck(service settings.Service, environ []string, out io.Writer) int {
	config, err := settings.Load(service, environ)
	if err == nil {
		err = askReady(&config)
	}
	if err != nil {
		fmt.Fprintf(out, "%s is not ready: %s\n", service, strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
	fmt.Fprintf(out, "%s is ready\n", service)
	return 0
}

// askReady calls /readyz where these settings make the process listen.
func askReady(c *settings.Config) error {
	port, setting := c.Port, "PORT"
	if c.Service == settings.Worker {
		port, setting = c.HealthPort, "HEALTH_PORT"
	}
	if port == 0 {
		return errors.New(setting + " is 0, so nobody knows where to ask")
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthWithin)
	defer cancel()
	address := net.JoinHostPort(nearby(c.Host), strconv.Itoa(port))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	request.Host = c.AllowedHosts[0] // the address itself may not be among the names that are let in
	// A proxy from the environment is for others, and a redirect would be somebody else's answer.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 500)) // what there is of it helps
		return fmt.Errorf("%s says %s %s", address, response.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// nearby is the address under which a listener on host can be reached from its own machine.
func nearby(host string) string {
	ip := net.ParseIP(host)
	switch {
	case ip == nil || !ip.IsUnspecified():
		return host
	case ip.To4() != nil:
		return "127.0.0.1"
	default:
		return "::1"
	}
}
