// Package engine does the work of Windlass, on the contracts of packages store and queue. It knows no driver.
//
//   - [Client] submits, lists, retries and cancels jobs, and waits for them;
//   - [Worker] claims jobs, runs their handlers and records how they ended;
//   - [Maintenance] keeps the queue filled, takes jobs back from lost workers and removes what is past its retention.
//
// A process runs any of them. Any number of processes may do so at the same time, and each may be killed at any moment:
// the store's conditional updates decide every race.
package engine
