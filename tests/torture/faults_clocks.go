package torture

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// clockMoved moves the clock of a running process forwards or backwards by one minute to six hours. Half of the time it
// moves the clock back afterwards, which is a second jump. All decisions use the Store's clock, so this must have no
// effect.
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

// follows reports whether the clock of an api has moved. It compares the Date of the api's answers. If the api does not
// answer at all, because of another fault, it returns true.
func (n *nemesis) follows(p *place, by time.Duration) bool {
	ctx, cancel := shortTimeout()
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
	if answered > 10 { // with fewer answers the process was only delayed
		n.problem("the clock of %s did not move", p.name)
	}
	return answered == 0
}
