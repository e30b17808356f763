import { expect, it } from "vitest";
import type { Attempt } from "@/_api/types";
import { timeline } from "./spans";

const START = Date.parse("2030-01-01T12:00:00Z");
const at = (seconds: number) => new Date(START + seconds * 1000).toISOString();

function past(attempt: number, from: number, to: number, outcome: Attempt["outcome"] = "failed"): Attempt {
  return {
    attempt,
    fence: from,
    worker_id: "w",
    started_at: at(from),
    finished_at: at(to),
    outcome,
    error: "boom",
  };
}

const JOB: Parameters<typeof timeline>[0] = {
  status: "pending",
  attempts: 0,
  history: [],
  created_at: at(0),
  started_at: null,
  finished_at: null,
  run_at: at(0),
  worker_id: null,
};

/** The spans in short: "backoff 2-4", "run 2 failed 4-5". */
function short(job: Partial<typeof JOB>, now: number): string[] {
  return timeline({ ...JOB, ...job }, START + now * 1000).map((span) => {
    const name = span.kind === "run" ? `run ${span.attempt} ${span.outcome}` : span.why;
    return `${name} ${(span.start - START) / 1000}-${(span.end - START) / 1000}`;
  });
}

it("begins with a wait", () => {
  expect(short({}, 3)).toEqual(["worker 0-3"]);
  expect(short({}, 0)).toEqual(["worker 0-0"]);
  expect(short({ run_at: at(60) }, 3)).toEqual(["delay 0-60"]);
  expect(short({ run_at: at(60) }, 63)).toEqual(["delay 0-60", "worker 60-63"]);
});

it("tells backoff from the wait for a worker, and knows the run that is not in the history", () => {
  const history = [past(1, 1, 2)];
  expect(short({ attempts: 1, history, run_at: at(4) }, 3)).toEqual([
    "start 0-1",
    "run 1 failed 1-2",
    "backoff 2-4",
  ]);
  const running = { status: "processing" as const, attempts: 2, history, run_at: at(4), started_at: at(5) };
  expect(short(running, 7)).toEqual([
    "start 0-1",
    "run 1 failed 1-2",
    "backoff 2-4",
    "worker 4-5",
    "run 2 running 5-7",
  ]);
  expect(short({ ...running, status: "completed", finished_at: at(6) }, 99)).toEqual([
    "start 0-1",
    "run 1 failed 1-2",
    "backoff 2-4",
    "worker 4-5",
    "run 2 completed 5-6",
  ]);
});

it("splits the wait for a retry that is due", () => {
  const spans = timeline(
    { ...JOB, attempts: 1, history: [past(1, 1, 2)], run_at: at(4) },
    START + 180 * 1000,
  ).slice(2);
  expect(spans).toMatchObject([
    { why: "backoff", end: START + 4000, open: false },
    { why: "worker", start: START + 4000, end: START + 180_000, open: true },
  ]);
});

it("does not guess when an earlier retry was due", () => {
  const history = [past(1, 1, 2), past(2, 60, 61)];
  expect(short({ attempts: 2, history, run_at: at(65) }, 62).slice(2)).toEqual([
    "retry 2-60",
    "run 2 failed 60-61",
    "backoff 61-65",
  ]);
});

it("sees a retry by hand, and that handing back is none", () => {
  const twice = [past(1, 1, 2), past(2, 4, 5), past(1, 60, 61)];
  expect(short({ status: "failed", attempts: 1, history: twice, finished_at: at(61) }, 99)[4]).toBe(
    "idle 5-60",
  );
  const sentBack = [past(1, 1, 2), past(2, 4, 5)];
  expect(short({ attempts: 0, history: sentBack, run_at: at(50) }, 60).slice(4)).toEqual([
    "idle 5-50",
    "worker 50-60",
  ]);
  const handed = [past(1, 1, 2, "released")];
  expect(short({ attempts: 0, history: handed, run_at: at(2) }, 3)[2]).toBe("worker 2-3");
});

it("has no run where a job was cancelled before it began", () => {
  expect(short({ status: "failed", finished_at: at(8) }, 99)).toEqual(["start 0-8"]);
});

it("never runs backwards, whatever the clocks say", () => {
  for (const span of timeline(
    { ...JOB, history: [past(1, -5, -4)], status: "processing", attempts: 2, started_at: at(9) },
    START,
  )) {
    expect(span.end).toBeGreaterThanOrEqual(span.start);
  }
});
