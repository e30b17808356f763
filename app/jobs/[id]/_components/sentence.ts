import type { JobDetail } from "@/_api/types";
import { idTail } from "@/_components/id";
import { firstLine } from "@/_components/jobs/error-line";
import { count } from "@/_components/numbers";
import { formatClock, formatDuration, formatSeconds } from "@/_components/time/format";

type Told = Pick<
  JobDetail,
  | "state"
  | "attempts"
  | "max_attempts"
  | "run_at"
  | "error_message"
  | "failure_kind"
  | "worker_id"
  | "started_at"
  | "finished_at"
  | "created_at"
  | "cancel_requested_at"
  | "timeout_seconds"
  | "queue"
>;

const SECOND = 1000;

function since(at: string | null, now: number): string {
  return formatSeconds(Math.floor((now - Date.parse(at ?? "")) / SECOND) * SECOND);
}

function left(at: string, now: number): string {
  return formatSeconds(Math.ceil((Date.parse(at) - now) / SECOND) * SECOND);
}

/** The state of a job in one sentence. */
export function jobSentence(job: Told, now: number): string {
  const reason = job.error_message ? `: ${firstLine(job.error_message)}` : ".";
  const due = Date.parse(job.run_at) <= now;
  const tries = count(job.attempts, "attempt");
  switch (job.state) {
    case "scheduled":
      return due
        ? "Due now, and about to start."
        : `Starts in ${left(job.run_at, now)}, at ${formatClock(job.run_at)}.`;
    case "waiting":
      return `Waiting ${since(job.run_at, now)} for a free worker on queue ${job.queue}.`;
    case "retrying":
      return due
        ? `The ${ordinal(job.attempts)} retry is due, and waits for a free worker${reason}`
        : `Waiting ${left(job.run_at, now)} for the ${ordinal(job.attempts)} retry${reason}`;
    case "running":
      return `Running for ${since(job.started_at, now)} on worker …${idTail(job.worker_id ?? "")}, attempt ${job.attempts} of ${job.max_attempts}.`;
    case "cancelling":
      return `Asked to stop ${since(job.cancel_requested_at, now)} ago; its worker has yet to answer.`;
    case "completed":
      return completed(job);
    case "cancelled":
      return `Cancelled by a person ${since(job.finished_at, now)} ago, after ${tries}.`;
    case "dead":
      return dead(job, tries, reason);
  }
}

function completed(job: Told): string {
  const took =
    job.started_at && job.finished_at
      ? ` in ${formatDuration(Date.parse(job.finished_at) - Date.parse(job.started_at))}`
      : "";
  return job.attempts > 1
    ? `Completed${took}, at the ${ordinal(job.attempts)} attempt.`
    : `Completed${took}.`;
}

function dead(job: Told, tries: string, reason: string): string {
  switch (job.failure_kind) {
    case "timeout":
      return `Failed for good after ${tries}: the last one took longer than its limit of ${formatSeconds(job.timeout_seconds * SECOND)}.`;
    case "worker_lost":
      return `Given up after ${tries}: its worker vanished each time, or at the last.`;
    case "permanent":
      return `Failed for good at the ${ordinal(job.attempts)} attempt, because no retry can help${reason}`;
    default:
      return `Failed for good after ${tries}${reason}`;
  }
}

const ORDINALS = [
  "first",
  "second",
  "third",
  "fourth",
  "fifth",
  "sixth",
  "seventh",
  "eighth",
  "ninth",
  "tenth",
];

/** first, second, … tenth, 11th, … 21st. */
function ordinal(n: number): string {
  const word = ORDINALS[n - 1];
  if (word) return word;
  const teen = n % 100 >= 11 && n % 100 <= 13;
  const ending = teen ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${ending}`;
}
