package redis

import (
	_ "embed"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// The scripts. Each runs by its digest, and in full where Redis does not know it (any more).
var (
	//go:embed scripts/sets.lua
	sets string
	//go:embed scripts/bounds.lua
	bounds string

	//go:embed scripts/push.lua
	pushSource string
	pushScript = script(pushSource, sets, bounds)

	//go:embed scripts/pop.lua
	popSource string
	popScript = script(popSource, sets)

	//go:embed scripts/wait.lua
	waitSource string
	waitScript = script(waitSource)

	//go:embed scripts/promote.lua
	promoteSource string
	promoteScript = script(promoteSource, sets, bounds)

	//go:embed scripts/bridge.lua
	bridgeSource string
	bridgeScript = script(bridgeSource, sets)

	//go:embed scripts/dead.lua
	deadSource string
	deadScript = script(deadSource)

	//go:embed scripts/depths.lua
	depthsSource string
	depthsScript = script(depthsSource, sets, bounds)

	//go:embed scripts/register.lua
	registerSource string
	registerScript = script(registerSource)
)

// script is a script with what it shares with others behind its first line, which has its flags.
func script(source string, shared ...string) *goredis.Script {
	flags, body, _ := strings.Cut(source, "\n")
	return goredis.NewScript(flags + "\n" + strings.Join(shared, "\n") + "\n" + body)
}

// reader reads a script's answer field by field; the first field of another kind than expected is its error.
type reader struct {
	fields []any
	err    error
}

func (r *reader) next() any {
	if len(r.fields) == 0 {
		r.fail("an answer that is too short")
		return nil
	}
	field := r.fields[0]
	r.fields = r.fields[1:]
	return field
}

func (r *reader) text() string {
	field := r.next()
	s, ok := field.(string)
	if !ok {
		r.fail("%T for a text", field)
	}
	return s
}

func (r *reader) number() int {
	field := r.next()
	n, ok := field.(int64)
	if !ok {
		r.fail("%T for a number", field)
	}
	return int(n)
}

func (r *reader) list() []any {
	field := r.next()
	l, ok := field.([]any)
	if !ok {
		r.fail("%T for a list", field)
	}
	return l
}

func (r *reader) more() bool { return r.err == nil && len(r.fields) > 0 }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("redis answered with "+format, args...)
	}
}
