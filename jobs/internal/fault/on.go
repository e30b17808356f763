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

// planned are the actions that have not happened yet, by point.
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

// Point carries out the planned action when the point is first reached. Otherwise it carries out what chance draws.
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
		select {} // until the signal arrives
	case "stop":
		// Another thread may receive the signal. This thread would run on until that one is scheduled. That takes
		// milliseconds, enough for a whole job. So we wait for SIGCONT here.
		continued := make(chan os.Signal, 1)
		signal.Notify(continued, syscall.SIGCONT)
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		<-continued
		signal.Stop(continued)
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

// Removed reports whether a guard is switched off.
func Removed(guard string) bool { return os.Getenv("WINDLASS_REMOVED") == guard }
