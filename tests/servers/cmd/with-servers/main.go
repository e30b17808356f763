// Command with-servers starts a temporary PostgreSQL and Redis, and runs a command with their URLs in TEST_DATABASE_URL
// and TEST_REDIS_URL. If one of these is set already, it keeps its value and that server is not started.
//
//	with-servers go test ./...
//
// It ends with the command's exit code. With -missing it only prints the servers that are not installed, one a line.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/windlass-jobs/windlass/tests/servers"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: with-servers command [argument …]")
		os.Exit(2)
	}
	if os.Args[1] == "-missing" {
		for _, name := range servers.Missing() {
			fmt.Println(name)
		}
		return
	}
	os.Exit(run(os.Args[1], os.Args[2:]))
}

func run(name string, args []string) int {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer servers.StopShared()
	env, err := servers.Environment()
	if err != nil {
		fmt.Fprintln(os.Stderr, "with-servers:", err)
		return 1
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "with-servers:", err)
		return 127
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s)
		case err := <-done:
			return exitCode(err)
		}
	}
}

// exitCode returns the command's exit code, or 128 plus the signal that killed it, like a shell.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "with-servers:", err)
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
