//go:build !faults

// Package fault names the moments at which a crash hurts most, and the guards that keep it harmless, for the torture. Without the build
// tag faults, which no release has, there is nothing: each call is inlined to its constant answer.
//
// With the tag, environment variables decide:
//
//	WINDLASS_FAULT=after-claim-commit=error,in-handler=exit    what happens when a point is first reached
//	WINDLASS_FAULT_FILE=/path                                  while it exists: what may happen at any point, see below
//	WINDLASS_REMOVED=claim guard                               a guard that is left out
//
// What can happen: exit (kill -9 of the process), stop (it is frozen until somebody sends SIGCONT), error (the call it stands for fails),
// and at random also delay (the process is held up there).
//
// The file holds "seed=7 chance=0.25 rest=300ms delay=4s". The seed draws a quarter of the points; each time that one of those is reached
// something happens with that chance, at most once in a rest, and a delay is at most so long. Or it holds "only=in-handler:stop rest=300ms": then
// that, at that point, and nothing else. The file may come, change and go at any time.
package fault

// Point is a moment at which a process may end. An error means: go on as if the call just made, or about to be made, had failed.
func Point(string) error { return nil }

// Removed reports whether a guard is left out.
func Removed(string) bool { return false }
