import { expect, it } from "vitest";
import type { Metrics, Worker } from "@/_api/types";
import { concerns } from "./concerns";

const NOW = Date.parse("2030-01-01T12:00:00Z");
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
  cancelled_last_minute: 0,
  attempts_last_minute: 0,
  failed_attempts_last_minute: 0,
};
const CALM = { metrics: METRICS, queues: [], workers: [], redisDegraded: false, now: NOW };

it("is silent when all is well", () => {
  expect(concerns(CALM)).toEqual([]);
});

it("names what hurts, the worst first", () => {
  const worker: Worker = {
    id: "w",
    hostname: "blue",
    pid: 1,
    version: "1",
    state: "alive",
    slots: 5,
    running: 0,
    types: [],
    queues: [],
    started_at: "2030-01-01T11:00:00Z",
    last_heartbeat_at: "2030-01-01T11:59:30Z",
    last_completion_at: null,
    ended_at: null,
    lost: false,
  };
  const queue = { name: "bulk", depth: 9, scheduled: 0, running: 0, oldest_pending_seconds: 190 };
  const list = concerns({
    metrics: { ...METRICS, workers: 0, queue_length: 9, dead: 1 },
    queues: [queue, { ...queue, name: "other", oldest_pending_seconds: 70 }],
    workers: [worker],
    redisDegraded: true,
    now: NOW,
  });
  expect(list.map(({ id }) => id)).toEqual(["no-worker", "dead", "slow", "silent-w", "redis"]);
  expect(list[0]).toMatchObject({ text: "No worker is running. 9 jobs are due.", href: "/?due=true" });
  expect(list[1]?.text).toBe("1 job failed permanently.");
  expect(list[2]).toMatchObject({
    href: "/?queue=bulk&due=true",
    text: "A job in queue bulk has been due for 3 min. 1 other queue is behind too.",
  });
});
