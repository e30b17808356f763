//go:build faults

package fault

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

var errInjected = errors.New("injected by the torture")

// planned is what is still to happen, by point.
var planned = struct {
	sync.Mutex
	actions map[string]string
}{actions: parse(os.Getenv("WINDLASS_FAULT"))}

func parse(text string) map[string]string {
	actions := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if point, action, ok := strings.Cut(part, "="); ok {
			actions[point] = action
		}
	}
	return actions
}

// Point does what is planned for the point the first time it is reached, and now and then what chance has in store.
func Point(name string) error {
	planned.Lock()
	action := planned.actions[name]
	delete(planned.actions, name)
	planned.Unlock()
	var lasts time.Duration
	if action == "" {
		if action, lasts = chance.draw(name, time.Now()); action == "" {
			return nil
		}
	}
	fmt.Fprintf(os.Stderr, "fault: %s at %s\n", action, name)
	switch action {
	case "exit":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // it does not come back
	case "stop":
		// Another thread may take the signal, and this one would run on until that one is scheduled: milliseconds, enough for a whole job.
		thawed := make(chan os.Signal, 1)
		signal.Notify(thawed, syscall.SIGCONT)
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		<-thawed
		signal.Stop(thawed)
		return nil
	case "delay":
		time.Sleep(lasts)
		return nil
	case "error":
		return errInjected
	default:
		panic("WINDLASS_FAULT: unknown action " + action)
	}
}

// Removed reports whether a guard is left out.
func Removed(guard string) bool { return os.Getenv("WINDLASS_REMOVED") == guard }
