import type { Attempt, JobDetail } from "@/_api/types";

export type LastError = {
  /** Whole, with its stack. */
  text: string;
  /** Which attempt it is of; undefined where the history does not say. */
  attempt: number | undefined;
  outcome: Attempt["outcome"] | undefined;
  /** The job was retried by hand since, and counts its attempts from 1 again. */
  beforeRetry: boolean;
  /** The job has gone on: it runs again, or waits to be started anew. */
  past: boolean;
};

type Told = Pick<JobDetail, "state" | "status" | "attempts" | "history" | "error_message">;

/** The error that a job shows, and the attempt that it belongs to. */
export function lastError(job: Told): LastError | undefined {
  const last = job.history.findLast(({ outcome }) => outcome !== "released");
  const text = job.error_message ?? last?.error;
  if (!text || job.status === "completed") return undefined;
  // While an attempt is under way it is counted already, and the error is of an earlier one.
  const newest = job.status === "processing" ? job.attempts - 1 : job.attempts;
  return {
    text,
    attempt: last?.attempt,
    outcome: last?.outcome,
    beforeRetry: last !== undefined && last.attempt > newest,
    past: job.state !== "retrying" && job.status !== "failed",
  };
}
