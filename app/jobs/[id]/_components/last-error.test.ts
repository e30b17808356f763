import { expect, it } from "vitest";
import type { Attempt } from "@/_api/types";
import { lastError } from "./last-error";

const AT = "2030-01-01T12:00:00Z";

function failed(attempt: number, outcome: Attempt["outcome"] = "failed"): Attempt {
  return {
    attempt,
    fence: 1,
    worker_id: "w",
    started_at: AT,
    finished_at: AT,
    outcome,
    error: `no ${attempt}`,
  };
}

it("is of the attempt before the one that runs", () => {
  const job = { status: "processing", state: "running", attempts: 2, error_message: "no 1" } as const;
  expect(lastError({ ...job, history: [failed(1)] })).toEqual({
    text: "no 1",
    attempt: 1,
    outcome: "failed",
    beforeRetry: false,
    past: true,
  });
});

it("is of the last attempt while the job waits for a retry, and when it is dead", () => {
  const history = [failed(1), failed(2)];
  const retrying = {
    status: "pending",
    state: "retrying",
    attempts: 2,
    error_message: "no 2",
    history,
  } as const;
  expect(lastError(retrying)).toMatchObject({ attempt: 2, beforeRetry: false, past: false });
  expect(lastError({ ...retrying, status: "failed", state: "dead" })).toMatchObject({
    attempt: 2,
    past: false,
  });
});

it("is of no attempt 0 after a retry by hand", () => {
  const history = [failed(1), failed(2), failed(3)];
  const sentBack = {
    status: "pending",
    state: "waiting",
    attempts: 0,
    error_message: "no 3",
    history,
  } as const;
  expect(lastError(sentBack)).toMatchObject({ attempt: 3, beforeRetry: true, past: true });
  const running = { ...sentBack, status: "processing", state: "running", attempts: 1 } as const;
  expect(lastError(running)).toMatchObject({ attempt: 3, beforeRetry: true, past: true });
});

it("passes over attempts that were handed back", () => {
  const history = [failed(1), failed(2, "released")];
  const job = { status: "pending", state: "retrying", attempts: 1, error_message: "no 1", history } as const;
  expect(lastError(job)).toMatchObject({ attempt: 1, beforeRetry: false });
});
