//go:build !faults

// Package fault has the crash points of the torture tests: the points in the code where a crash does most harm. It also
// lets the tests switch off the guards against that harm. Releases are built without the build tag faults. Then the
// functions return constants and are inlined, so nothing is left of them.
//
// With the tag, environment variables control it:
//
//	WINDLASS_FAULT=after-claim-commit=error,in-handler=exit    what happens when a point is first reached
//	WINDLASS_FAULT_FILE=/path                                  while the file exists: random faults, see below
//	WINDLASS_REMOVED=claim guard                               a guard that is switched off
//
// These can happen: exit (the process is killed with SIGKILL), stop (the process is frozen until SIGCONT), error (the
// call at the point fails). At random also: delay (the process waits at the point).
//
// The file contains, for example, "seed=7 chance=0.25 rest=300ms delay=4s". The seed draws a quarter of the points.
// When one of these is reached, something happens with the given chance. After that nothing happens during the rest.
// delay is the maximum length of a delay. Or the file contains "only=in-handler:stop rest=300ms": then only this
// happens, and only at this point. The file may be created, changed and removed at any time.
package fault

// Point is a point at which a process may end. If it returns an error, the caller continues as if its call just before
// or just after the point had failed.
func Point(string) error { return nil }

// Removed reports whether a guard is switched off.
func Removed(string) bool { return false }
