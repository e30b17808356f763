package torture

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// clockMoved sets the clock of a process forwards or backwards by a minute to six hours, while it runs. Half of the time it is set right again
// afterwards, which is a second jump. Only the Store's clock decides anything, so nobody may notice.
func clockMoved(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.all())
	by := between(dice, time.Minute, 6*time.Hour)
	if dice.IntN(2) == 0 {
		by = -by
	}
	if put(p.clockPath(), strconv.Itoa(int(by.Seconds()))) != nil || p.url != "" && p.running() && !n.follows(p, by) {
		return notDone, nil
	}
	heal := func() { _ = put(p.clockPath(), "0") }
	if dice.IntN(2) == 0 {
		heal = nil
	}
	return between(dice, 500*time.Millisecond, 3*time.Second), heal
}

// follows reports whether an api goes by its moved clock, which it dates its answers with. One that does not answer at all is another fault's.
func (n *nemesis) follows(p *place, by time.Duration) bool {
	ctx, cancel := soon()
	defer cancel()
	answered := 0
	for wait(ctx, 60*time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/livez", nil)
		if err != nil {
			return false
		}
		resp, err := n.client.http.Do(req)
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		answered++
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && (time.Since(date)+by).Abs() < 30*time.Second {
			return true
		}
	}
	if answered > 10 { // fewer: it was held up
		n.problem("the clock of %s does not move", p.name)
	}
	return answered == 0
}
