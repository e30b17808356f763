//go:build faults

package fault

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// failing are the points whose callers use the error. At the other points an error would have no effect.
var failing = []string{
	"after-insert-commit", "before-push", "after-claim-commit", "before-settle", "after-settle-commit",
}

// lottery decides at random what happens at the points.
type lottery struct {
	path string // empty: nothing happens

	mu          sync.Mutex
	nextRead    time.Time // when to read the file again
	text        string    // content of the file when it was last read
	seed        uint64
	share       float64
	rest, delay time.Duration
	// If these are set, the seed is not used.
	onlyPoint, onlyAction string
	dice                  *rand.Rand
	restUntil             time.Time
}

var chance = &lottery{path: os.Getenv("WINDLASS_FAULT_FILE")}

// readEvery is the maximum time until a change of the file has an effect.
const readEvery = 50 * time.Millisecond

// draw returns what happens at a point, which is mostly nothing, and the length of a delay.
func (l *lottery) draw(point string, now time.Time) (action string, lasts time.Duration) {
	if l.path == "" {
		return "", 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !now.Before(l.nextRead) {
		l.nextRead = now.Add(readEvery)
		l.read(now)
	}
	if l.text == "" || now.Before(l.restUntil) || !l.active(point) || l.dice.Float64() >= l.share {
		return "", 0
	}
	l.restUntil = now.Add(l.rest)
	if l.onlyAction != "" {
		return l.onlyAction, 0
	}
	switch n := l.dice.IntN(10); {
	case n < 3:
		return "exit", 0
	case n < 7 && slices.Contains(failing, point):
		return "error", 0
	default:
		// Most delays are short, but some are longer than a lease.
		f := l.dice.Float64()
		return "delay", time.Duration(f * f * float64(l.delay))
	}
}

// read reads the file. It begins with a rest, so that a process that is restarted again and again still does some work.
func (l *lottery) read(now time.Time) {
	raw, _ := os.ReadFile(l.path)
	if string(raw) == l.text {
		return
	}
	l.text = string(raw)
	l.seed, l.share, l.rest, l.delay, l.onlyPoint, l.onlyAction = 0, 1, 0, 0, "", ""
	for _, setting := range strings.Fields(l.text) {
		name, value, _ := strings.Cut(setting, "=")
		var err error
		switch name {
		case "seed":
			l.seed, err = strconv.ParseUint(value, 10, 64)
		case "chance":
			l.share, err = strconv.ParseFloat(value, 64)
		case "rest":
			l.rest, err = time.ParseDuration(value)
		case "delay":
			l.delay, err = time.ParseDuration(value)
		case "only":
			l.onlyPoint, l.onlyAction, _ = strings.Cut(value, ":")
		default:
			err = errors.New("unknown setting")
		}
		if err != nil {
			panic(fmt.Sprintf("WINDLASS_FAULT_FILE: %s: %v", setting, err))
		}
	}
	l.dice = rand.New(rand.NewPCG(l.seed, 1))
	l.restUntil = now.Add(l.rest)
}

// active reports whether the seed has drawn the point. The result depends only on the seed and the name of the point.
func (l *lottery) active(point string) bool {
	if l.onlyPoint != "" {
		return point == l.onlyPoint
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", l.seed, point)
	return rand.New(rand.NewPCG(l.seed, h.Sum64())).IntN(4) == 0
}
