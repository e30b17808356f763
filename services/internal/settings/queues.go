package settings

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
)

// ParseQueues reads a list like critical:6,default:3,low:1. A weight is 1 to 1000; one that is left out is 1.
func ParseQueues(text string) ([]engine.QueueWeight, error) {
	var queues []engine.QueueWeight
	seen := map[string]bool{}
	for item := range strings.SplitSeq(text, ",") {
		name, weight, weighted := strings.Cut(strings.TrimSpace(item), ":")
		q := engine.QueueWeight{Name: strings.TrimSpace(name), Weight: 1}
		if !jobs.QueuePattern.MatchString(q.Name) {
			return nil, fmt.Errorf("must be a list like critical:6,default:3,low:1: %q is not the name of a queue", q.Name)
		}
		if seen[q.Name] {
			return nil, fmt.Errorf("names the queue %q twice", q.Name)
		}
		seen[q.Name] = true
		if weighted {
			n, err := strconv.Atoi(strings.TrimSpace(weight))
			if err != nil || n < 1 || n > 1000 {
				return nil, fmt.Errorf("must give the queue %q a weight of 1 to 1000", q.Name)
			}
			q.Weight = n
		}
		queues = append(queues, q)
	}
	return queues, nil
}

func formatQueues(queues []engine.QueueWeight) string {
	if len(queues) == 0 {
		return "all"
	}
	items := make([]string, len(queues))
	for i, q := range queues {
		items[i] = q.Name + ":" + strconv.Itoa(q.Weight)
	}
	return strings.Join(items, ",")
}
