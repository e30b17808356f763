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
  why: Why;
  start: number;
  end: number;
  /** It is not over. */
  open: boolean;
};

/**
 * delay: until the time that it was submitted for. backoff: until the time of a retry. idle: after its end, until it
 * was retried by hand. worker: due, until a worker starts it. retry: backoff and worker together, and start: delay and
 * worker together, where the time between them is not known any more.
 */
export type Why = "delay" | "backoff" | "idle" | "worker" | "retry" | "start";

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

  const due = Date.parse(job.run_at);
  const spans: Span[] = [];
  let at = Date.parse(job.created_at);
  let before: Run | undefined;
  for (const run of runs) {
    const why = reason(before, run.attempt);
    const end = Math.max(at, run.start);
    // The job knows when it was due for its newest run only.
    if (run === current) spans.push(...split(why, at, end, due, false));
    else spans.push({ kind: "wait", why: WHOLE[why], start: at, end, open: false });
    spans.push(run);
    at = run.end;
    before = run;
  }
  if (job.status === "pending") {
    spans.push(...split(reason(before, job.attempts + 1), at, Math.max(now, due, at), due, true));
  } else if (job.status === "failed" && !before && job.finished_at) {
    spans.push({ kind: "wait", why: "start", start: at, end: Date.parse(job.finished_at), open: false });
  }
  return spans;
}

type Reason = "delay" | "backoff" | "idle";

const WHOLE: Record<Reason, Why> = { delay: "start", backoff: "retry", idle: "idle" };

/** A wait in two: until the job was due, and from then on for a worker. */
function split(why: Reason, start: number, end: number, due: number, open: boolean): Wait[] {
  const middle = Math.min(Math.max(start, due), end);
  const waits: Wait[] = [
    { kind: "wait", why, start, end: middle, open: open && middle === end },
    { kind: "wait", why: "worker", start: middle, end, open },
  ];
  const real = waits.filter((wait) => wait.end > wait.start);
  return real.length > 0 ? real : waits.slice(1);
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

/** Why there is a gap before an attempt. Attempts that begin to count anew were retried by hand. */
function reason(before: Run | undefined, attempt: number): Reason {
  if (!before || before.outcome === "released") return "delay";
  if (before.outcome === "cancelled" || attempt <= before.attempt) return "idle";
  return "backoff";
}
