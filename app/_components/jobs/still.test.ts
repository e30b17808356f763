import { expect, it } from "vitest";
import type { JobSummary } from "@/_api/types";
import { arrivals, begin, follow, type Shown } from "./still";

const AT = "2030-01-01T12:00:00Z";

function job(n: number, state: JobSummary["state"] = "running"): JobSummary {
  return {
    id: `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`,
    type: "email",
    queue: "default",
    status: "processing",
    state,
    priority: 0,
    attempts: 1,
    max_attempts: 5,
    metadata: null,
    timeout_seconds: 60,
    run_at: AT,
    error_message: null,
    failure_kind: null,
    progress: null,
    worker_id: null,
    cancel_requested_at: null,
    started_at: AT,
    finished_at: null,
    created_at: AT,
    updated_at: AT,
  };
}

const answer = (complete: boolean, ...jobs: JobSummary[]) => ({ jobs, complete, pages: 1 });
const numbers = (shown: Shown) => shown.jobs.map(({ id }) => Number(id.slice(-12)));
const goneOf = (shown: Shown) => [...shown.gone].map((id) => Number(id.slice(-12)));

it("changes rows in place and counts what is new", () => {
  const shown = begin(answer(true, job(5), job(3), job(2)));
  const later = answer(true, job(9), job(5, "completed"), job(4), job(3), job(2));
  const next = follow(shown, later);
  expect(numbers(next)).toEqual([5, 3, 2]);
  expect(next.jobs[0]?.state).toBe("completed");
  expect(next.jobs[1]).toBe(later.jobs[3]);
  expect(arrivals(next, later.jobs, [job(9), job(8)])).toBe(3);
});

it("keeps the place of a job that no longer fits, and takes it back when it fits again", () => {
  const shown = begin(answer(true, job(5), job(3), job(2)));
  const without = follow(shown, answer(true, job(5), job(2)));
  expect(numbers(without)).toEqual([5, 3, 2]);
  expect(goneOf(without)).toEqual([3]);
  expect(goneOf(follow(without, answer(true, job(5), job(3), job(2))))).toEqual([]);
});

it("says nothing of jobs that the answer does not reach", () => {
  const shown = begin(answer(false, job(5), job(3)));
  const pushed = follow(shown, answer(false, job(9), job(8)));
  expect(numbers(pushed)).toEqual([5, 3]);
  expect(goneOf(pushed)).toEqual([]);
  expect(goneOf(follow(shown, answer(false, job(4), job(3))))).toEqual([5]);
});

it("grows only by pages that were asked for", () => {
  const shown = begin(answer(false, job(5), job(3)));
  const filled = answer(false, job(5), job(2));
  expect(numbers(follow(shown, filled))).toEqual([5, 3]);
  expect(arrivals(shown, filled.jobs)).toBe(0);
  const loaded = follow(shown, { ...answer(true, job(9), job(5), job(3), job(2), job(1)), pages: 2 });
  expect(numbers(loaded)).toEqual([5, 3, 2, 1]);
  expect(loaded.complete).toBe(true);
});

it("counts all of a list that was empty", () => {
  expect(arrivals(begin(answer(true)), [job(1), job(2)])).toBe(2);
});

it("learns from a later answer that nothing follows", () => {
  const shown = begin(answer(false, job(5), job(3)));
  expect(follow(shown, answer(true, job(5), job(3))).complete).toBe(true);
  expect(follow(shown, answer(true, job(5), job(3), job(2))).complete).toBe(false);
});
