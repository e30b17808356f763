import { formatSeconds } from "@/_components/time/format";

// The default curve of the server: 2^n seconds after the n-th attempt, plus up to 10 % at random, at most an hour.

const MAX_BACKOFF_SECONDS = 3600;
const SHOWN = 7;

/** Seconds to wait after the attempt-th attempt (from 1) has failed, without the random part. */
export function backoffSeconds(attempt: number): number {
  return Math.min(2 ** attempt, MAX_BACKOFF_SECONDS);
}

/** All waits of a job that fails every time. */
export function retrySchedule(maxAttempts: number): number[] {
  return Array.from({ length: Math.max(0, maxAttempts - 1) }, (_, i) => backoffSeconds(i + 1));
}

/** The waits as words: "2 s, 4 s, 8 s". Long schedules are cut in the middle. */
export function describeSchedule(maxAttempts: number): string {
  const words = retrySchedule(maxAttempts).map((seconds) => formatSeconds(seconds * 1000));
  if (words.length <= SHOWN) return words.join(", ");
  return [...words.slice(0, SHOWN - 1), "…", words.at(-1)].join(", ");
}

/** How long a job that fails every time stays in retries, in milliseconds. */
export function scheduleTotal(maxAttempts: number): number {
  return retrySchedule(maxAttempts).reduce((sum, seconds) => sum + seconds * 1000, 0);
}
