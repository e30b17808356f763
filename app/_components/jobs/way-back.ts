"use client";

// What a person left when she opened a job from a list: enough to bring her back to the same row, and to go on to the
// next job from the job's page. It lasts as long as the page.

type Left = {
  /** The address of the list. */
  href: string;
  /** Its jobs, in its order. */
  ids: readonly string[];
  /** The job that is open now. */
  job: string;
  /** Which reading of the list it was. */
  reading: number;
};

const BACK_MS = 5000; // how long after a press on "back" a list may take to appear

let left: Left | undefined;
let wentBackAt = Number.NEGATIVE_INFINITY;

if (typeof window !== "undefined") {
  window.addEventListener("popstate", () => {
    wentBackAt = performance.now();
  });
}

const here = () => window.location.pathname + window.location.search;

/** Notes that a job is opened from the list at this address. */
export function leaveList(ids: readonly string[], job: string, reading = 0): void {
  left = { href: here(), ids, job, reading };
}

/** What was left, if "back" has just led to the list at this address. */
export function cameBack(): Left | undefined {
  return left?.href === here() && performance.now() - wentBackAt < BACK_MS ? left : undefined;
}

/** The job that follows another one in the list that it was opened from, or goes before it. */
export function neighbour(job: string, step: 1 | -1): string | undefined {
  const at = left?.job === job ? left.ids.indexOf(job) : -1;
  const next = at < 0 ? undefined : left?.ids[at + step];
  if (left && next) left = { ...left, job: next };
  return next;
}
