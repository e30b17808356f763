// Command embedded is all of Windlass in one process: the API on PORT, the UI on WEB_PORT, and a worker, on SQLite in
// DATA_DIR. It needs no server.
//
//	embedded                works
//	embedded healthcheck    asks the one that runs with these settings whether it is ready; exit code 0: it is
package main

import (
	"os"

	"github.com/windlass-jobs/windlass/services/embedded/embeddedcmd"
)

func main() { os.Exit(embeddedcmd.Main(os.Args[1:])) }
