// Command api takes jobs in over HTTP and answers questions about them. It runs no jobs, but it does its turn of the
// maintenance, so that nothing stays behind when every worker is gone.
//
//	api                serves (see docs/operations.md for the settings)
//	api openapi        prints the OpenAPI document
//	api migrate up     brings the database up to date; status and sql only look
//	api healthcheck    asks the api that runs with these settings whether it is ready; exit code 0: it is
package main

import (
	"os"

	"github.com/windlass-jobs/windlass/services/api/apicmd"
)

func main() { os.Exit(apicmd.Main(os.Args[1:])) }
