package jobs

import "time"

// Hint says that a job can be claimed, and when. It proves nothing: a hint may be lost, repeated, or outlive its job.
type Hint struct {
	ID       string
	Queue    string
	Type     string // of the job; empty: not known, so that any worker of the queue may take the hint
	Priority int
	RunAt    time.Time     // by the Store's clock: for the order in the queue, never compared with another clock
	In       time.Duration // how long until the job is due, as of now; 0 or less: due
	Suspect  bool          // see Job.Suspect
}
