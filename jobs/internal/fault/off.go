//go:build !faults

// Package fault names the moments at which a crash hurts most, and the guards that keep it harmless, for the torture. Without the build
// tag faults, which no release has, there is nothing: each call is inlined to its constant answer.
//
// With the tag, environment variables decide:
//
//	WINDLASS_FAULT=after-claim-commit=error,in-handler=exit    what happens when a point is first reached
//	WINDLASS_REMOVED=claim guard                               a guard that is left out
//
// What can happen: exit (kill -9 of the process), stop (it is frozen until somebody sends SIGCONT), error (the call it stands for fails).
package fault

// Point is a moment at which a process may end. An error means: go on as if the call just made, or about to be made, had failed.
func Point(string) error { return nil }

// Removed reports whether a guard is left out.
func Removed(string) bool { return false }
