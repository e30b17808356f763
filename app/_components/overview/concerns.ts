import type { Metrics, Queue, Worker } from "@/_api/types";
import { listHref } from "../jobs/search-params";
import { count } from "../numbers";
import { formatCoarse } from "../time/format";

// What a person should look at. One line and one action each, the worst first.

const OLD_MS = 60_000; // a due job that waits longer is worth a word
export const SILENT_MS = 15_000; // a worker beats every few seconds

export type Concern = { id: string; tone: "red" | "amber"; text: string; action: string; href: string };

type Facts = {
  metrics: Metrics;
  queues: readonly Queue[];
  workers: readonly Worker[];
  redisDegraded: boolean;
  now: number;
};

export function concerns({ metrics, queues, workers, redisDegraded, now }: Facts): Concern[] {
  const list: Concern[] = [];
  if (metrics.workers === 0) {
    list.push({
      id: "no-worker",
      tone: "red",
      text:
        metrics.queue_length > 0
          ? `No worker is running. ${count(metrics.queue_length, "job is", "jobs are")} due.`
          : "No worker is running. New jobs will wait.",
      ...(metrics.queue_length > 0
        ? { action: "Show", href: listHref({ due: true }) }
        : { action: "Workers", href: "/workers" }),
    });
  }
  if (metrics.dead > 0) {
    list.push({
      id: "dead",
      tone: "red",
      text: `${count(metrics.dead, "job")} failed permanently.`,
      action: "Review",
      href: "/dead",
    });
  }
  const slow = queues.filter((queue) => queue.oldest_pending_seconds * 1000 > OLD_MS);
  const slowest = slow.sort((a, b) => b.oldest_pending_seconds - a.oldest_pending_seconds)[0];
  if (slowest) {
    const age = formatCoarse(slowest.oldest_pending_seconds * 1000);
    const more = slow.length - 1;
    const others = more > 0 ? ` ${count(more, "other queue is", "other queues are")} behind too.` : "";
    list.push({
      id: "slow",
      tone: "amber",
      text: `A job in queue ${slowest.name} has been due for ${age}.${others}`,
      action: "Show",
      href: listHref({ due: true, queue: slowest.name }),
    });
  }
  for (const worker of workers) {
    const silent = now - Date.parse(worker.last_heartbeat_at);
    if (silent < SILENT_MS) continue;
    list.push({
      id: `silent-${worker.id}`,
      tone: "amber",
      text: `Worker ${worker.hostname} has sent no heartbeat for ${formatCoarse(silent)}.`,
      action: "Workers",
      href: "/workers",
    });
  }
  if (redisDegraded) {
    list.push({
      id: "redis",
      tone: "amber",
      text: "Redis is unreachable. Jobs are accepted and run, but may start a moment later.",
      action: "Queues",
      href: "/queues",
    });
  }
  return list;
}
