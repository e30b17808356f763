// Command worker runs jobs. Start as many as there is work for; each runs WORKER_CONCURRENCY jobs at once.
//
//	worker                works (see docs/operations.md for the settings)
//	worker healthcheck    asks the worker that runs with these settings whether it is ready; exit code 0: it is
package main

import (
	"os"

	"github.com/windlass-jobs/windlass/services/worker/workercmd"
)

func main() { os.Exit(workercmd.Main(os.Args[1:])) }
