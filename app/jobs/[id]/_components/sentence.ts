import type { JobDetail, Worker } from "@/_api/types";
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
  | "type"
>;

const SECOND = 1000;

function since(at: string | null, now: number): string {
  return formatSeconds(Math.floor((now - Date.parse(at ?? "")) / SECOND) * SECOND);
}

function left(at: string, now: number): string {
  return formatSeconds(Math.ceil((Date.parse(at) - now) / SECOND) * SECOND);
}

/**
 * The state of a job in one sentence, or two. The workers are those that are known to run; left out, nothing is said
 * of them. worker is the name of the one that runs the job.
 */
export function jobSentence(
  job: Told,
  now: number,
  workers?: readonly Worker[],
  worker = `…${idTail(job.worker_id ?? "")}`,
): string {
  const reason = job.error_message ? `: ${firstLine(job.error_message)}` : ".";
  const due = Date.parse(job.run_at) <= now;
  const tries = count(job.attempts, "attempt");
  switch (job.state) {
    case "scheduled":
      return due
        ? `Due now, not started yet.${whyNot(job, workers)}`
        : `Starts in ${left(job.run_at, now)}, at ${formatClock(job.run_at)}.`;
    case "waiting":
      return `Due for ${since(job.run_at, now)}, not started yet.${whyNot(job, workers)}`;
    case "retrying":
      return due
        ? `The ${ordinal(job.attempts)} retry has been due for ${since(job.run_at, now)}.${whyNot(job, workers)} Last error${reason}`
        : `Waiting ${left(job.run_at, now)} for the ${ordinal(job.attempts)} retry${reason}`;
    case "running":
      return `Running for ${since(job.started_at, now)} on worker ${worker}, attempt ${job.attempts} of ${job.max_attempts}.`;
    case "cancelling":
      return `Asked to stop ${since(job.cancel_requested_at, now)} ago. The worker has not confirmed it yet.`;
    case "completed":
      return completed(job);
    case "cancelled":
      return `Cancelled ${since(job.finished_at, now)} ago, after ${tries}.`;
    case "dead":
      return dead(job, tries, reason);
  }
}

/** Why a due job does not run, as far as the list of workers tells. */
function whyNot(job: Told, workers: readonly Worker[] | undefined): string {
  if (!workers) return "";
  const alive = workers.filter(({ state }) => state === "alive");
  if (alive.length === 0) return " No worker is running.";
  const serving = alive.filter(
    ({ queues, types }) => (queues.length === 0 || queues.includes(job.queue)) && types.includes(job.type),
  );
  if (serving.length === 0) return ` No running worker takes ${job.type} jobs from queue ${job.queue}.`;
  if (serving.some(({ running, slots }) => running < slots)) return "";
  return ` All slots of the ${count(serving.length, "worker")} for it were busy at the last heartbeat.`;
}

function completed(job: Told): string {
  const took =
    job.started_at && job.finished_at
      ? ` in ${formatDuration(Date.parse(job.finished_at) - Date.parse(job.started_at))}`
      : "";
  return job.attempts > 1
    ? `Completed${took}, on the ${ordinal(job.attempts)} attempt.`
    : `Completed${took}.`;
}

function dead(job: Told, tries: string, reason: string): string {
  switch (job.failure_kind) {
    case "timeout":
      return `Failed permanently after ${tries}: the last one took longer than its limit of ${formatSeconds(job.timeout_seconds * SECOND)}.`;
    case "worker_lost":
      return `Failed permanently after ${tries}: the worker was lost during the last one.`;
    case "permanent":
      return `Failed permanently on the ${ordinal(job.attempts)} attempt; the handler said that no retry can help${reason}`;
    default:
      return `Failed permanently after ${tries}${reason}`;
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
