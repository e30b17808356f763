import { expect, it } from "vitest";
import type { Metrics } from "@/_api/types";
import { failureRate } from "./readings";

const METRICS: Metrics = {
  total_jobs: 0,
  active_jobs: 0,
  completed_jobs: 0,
  failed_jobs: 0,
  queue_length: 0,
  scheduled: 0,
  retrying: 0,
  dead: 0,
  cancelled: 0,
  oldest_pending_seconds: 0,
  workers: 1,
  slots: 5,
  completed_last_minute: 0,
  failed_last_minute: 0,
  attempts_last_minute: 0,
  failed_attempts_last_minute: 0,
  cancelled_last_minute: 0,
};

it("rates attempts, also of jobs that are retried in vain", () => {
  const counts = { ...METRICS, retrying: 25, attempts_last_minute: 25, failed_attempts_last_minute: 25 };
  expect(failureRate(counts)).toEqual({
    value: "100 %",
    note: "25 of 25 attempts",
    tone: "red",
  });
  expect(failureRate({ ...counts, attempts_last_minute: 4000 }).value).toBe("<1 %");
});

it("does not take a cancellation for a failure", () => {
  const counts = { ...METRICS, failed_last_minute: 1, cancelled_last_minute: 1 };
  expect(failureRate(counts)).toEqual({
    value: "–",
    note: "no attempt ended, 1 cancelled",
  });
});
