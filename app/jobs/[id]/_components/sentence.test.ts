import { expect, it } from "vitest";
import type { JobDetail, Worker } from "@/_api/types";
import { jobSentence } from "./sentence";

const NOW = Date.parse("2030-01-01T12:00:00Z");
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

const JOB: Parameters<typeof jobSentence>[0] = {
  state: "waiting",
  attempts: 0,
  max_attempts: 5,
  run_at: at(-3),
  error_message: null,
  failure_kind: null,
  worker_id: null,
  started_at: null,
  finished_at: null,
  created_at: at(-60),
  cancel_requested_at: null,
  timeout_seconds: 60,
  queue: "default",
  type: "email",
};

const say = (part: Partial<JobDetail>) => jobSentence({ ...JOB, ...part }, NOW);

it("tells each state in one sentence", () => {
  expect(say({})).toBe("Due for 3 s, not started yet.");
  expect(say({ state: "scheduled", run_at: at(90) })).toMatch(/^Starts in 1 min 30 s, at \d\d:\d\d:\d\d\.$/);
  const retrying = {
    state: "retrying" as const,
    attempts: 2,
    error_message: "connection refused\n  at main.go",
  };
  expect(say({ ...retrying, run_at: at(12) })).toBe("Waiting 12 s for the second retry: connection refused");
  expect(say({ ...retrying, run_at: at(-1) })).toBe(
    "The second retry has been due for 1 s. Last error: connection refused",
  );
  expect(say({ state: "running", attempts: 2, started_at: at(-9), worker_id: "0000-abcdef12" })).toBe(
    "Running for 9 s on worker …abcdef12, attempt 2 of 5.",
  );
  expect(say({ state: "completed", attempts: 1, started_at: at(-5), finished_at: at(-1.5) })).toBe(
    "Completed in 3.5 s.",
  );
  expect(say({ state: "completed", attempts: 3, started_at: at(-5), finished_at: at(-4) })).toBe(
    "Completed in 1 s, on the third attempt.",
  );
  expect(say({ state: "cancelled", finished_at: at(-30) })).toBe("Cancelled 30 s ago, after 0 attempts.");
  expect(say({ state: "cancelling", cancel_requested_at: at(-2) })).toMatch(/^Asked to stop 2 s ago/);
});

it("says why a job is dead", () => {
  const dead = { state: "dead" as const, attempts: 3, error_message: "boom" };
  expect(say({ ...dead, failure_kind: "error" })).toBe("Failed permanently after 3 attempts: boom");
  expect(say({ ...dead, failure_kind: "timeout" })).toMatch(/longer than its limit of 1 min/);
  expect(say({ ...dead, failure_kind: "worker_lost" })).toMatch(/worker was lost/);
  expect(say({ ...dead, attempts: 1, failure_kind: "permanent" })).toBe(
    "Failed permanently on the first attempt; the handler said that no retry can help: boom",
  );
});

it("says why a due job does not run only where the workers tell", () => {
  const worker = (part: Partial<Worker>): Worker => ({
    id: "w",
    hostname: "blue",
    pid: 1,
    version: "1",
    state: "alive",
    slots: 5,
    running: 0,
    types: ["email"],
    queues: [],
    started_at: at(-60),
    last_heartbeat_at: at(-1),
    last_completion_at: null,
    ended_at: null,
    lost: false,
    ...part,
  });
  const told = (...workers: Worker[]) => jobSentence(JOB, NOW, workers);
  expect(told(worker({}))).toBe("Due for 3 s, not started yet.");
  expect(told()).toBe("Due for 3 s, not started yet. No worker is running.");
  expect(told(worker({ state: "draining" }))).toMatch(/No worker is running/);
  const nobody = "Due for 3 s, not started yet. No running worker takes email jobs from queue default.";
  expect(told(worker({ queues: ["other"] }), worker({ types: ["report"] }))).toBe(nobody);
  expect(told(worker({ running: 5 }))).toMatch(/All slots of the 1 worker for it were busy/);
  expect(told(worker({ running: 5 }), worker({ queues: ["default"] }))).toBe("Due for 3 s, not started yet.");
});
