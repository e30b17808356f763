import type { Attempt, JobDetail } from "@/_api/types";

// The life of a job as a row of spans: waits, backoffs and runs.

export type Run = {
  kind: "run";
  attempt: number;
  outcome: Attempt["outcome"] | "completed" | "running";
  start: number;
  end: number;
  workerId: string | null;
  error: string | null;
};

export type Wait = {
  kind: "wait";
  /** waiting: for its time or a worker. backoff: for a retry. resent: between an end and a retry by hand. */
  why: "waiting" | "backoff" | "resent";
  start: number;
  end: number;
  /** It is not over. */
  open: boolean;
};

export type Span = Run | Wait;

type Told = Pick<
  JobDetail,
  "status" | "attempts" | "history" | "created_at" | "started_at" | "finished_at" | "run_at" | "worker_id"
>;

/** All spans from the creation until now, oldest first. */
export function timeline(job: Told, now: number): Span[] {
  const runs: Run[] = job.history.map((past) => ({
    kind: "run",
    attempt: past.attempt,
    outcome: past.outcome,
    start: Date.parse(past.started_at),
    end: Date.parse(past.finished_at),
    workerId: past.worker_id,
    error: past.error,
  }));
  const current = currentRun(job, now);
  if (current) runs.push(current);

  const spans: Span[] = [];
  let at = Date.parse(job.created_at);
  let before: Run | undefined;
  for (const run of runs) {
    spans.push({
      kind: "wait",
      why: reason(before, run.attempt),
      start: at,
      end: Math.max(at, run.start),
      open: false,
    });
    spans.push(run);
    at = run.end;
    before = run;
  }
  if (job.status === "pending") {
    const why = reason(before, job.attempts + 1);
    spans.push({ kind: "wait", why, start: at, end: Math.max(now, Date.parse(job.run_at)), open: true });
  } else if (job.status === "failed" && !before && job.finished_at) {
    spans.push({ kind: "wait", why: "waiting", start: at, end: Date.parse(job.finished_at), open: false });
  }
  return spans;
}

/** The run that the history does not know: the one under way, or the one that succeeded. */
function currentRun(job: Told, now: number): Run | undefined {
  if (!job.started_at || (job.status !== "processing" && job.status !== "completed")) return undefined;
  const start = Date.parse(job.started_at);
  return {
    kind: "run",
    attempt: job.attempts,
    outcome: job.status === "completed" ? "completed" : "running",
    start,
    end: job.status === "completed" && job.finished_at ? Date.parse(job.finished_at) : Math.max(now, start),
    workerId: job.worker_id,
    error: null,
  };
}

/** Why there is a gap before an attempt. Attempts that begin to count anew were sent back by hand. */
function reason(before: Run | undefined, attempt: number): Wait["why"] {
  if (!before) return "waiting";
  if (before.outcome === "released") return "waiting";
  if (before.outcome === "cancelled" || attempt <= before.attempt) return "resent";
  return "backoff";
}
