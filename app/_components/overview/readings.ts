import type { Metrics } from "@/_api/types";
import { count, formatCompact, formatNumber } from "../numbers";
import { formatCoarse } from "../time/format";
import type { Tone } from "../ui/tone";

/** What a tile says of the counts. */
export type Reading = { value: string; exact?: string; note: string; tone?: Tone; share?: number };

const OLD_MS = 60_000;

export function dueNow(m: Metrics): Reading {
  const oldest = m.oldest_pending_seconds * 1000;
  return {
    value: formatCompact(m.queue_length),
    exact: formatNumber(m.queue_length),
    note: m.queue_length > 0 ? `oldest for ${formatCoarse(oldest)}` : "no job is due",
    ...(oldest > OLD_MS ? { tone: "amber" as const } : {}),
  };
}

export function running(m: Metrics): Reading {
  return {
    value: formatCompact(m.active_jobs),
    exact: formatNumber(m.active_jobs),
    note: m.workers > 0 ? `of ${count(m.slots, "slot")} on ${count(m.workers, "worker")}` : "no worker",
    share: m.slots > 0 ? Math.min(1, m.active_jobs / m.slots) : 0,
    ...(m.workers === 0 ? { tone: "amber" as const } : {}),
  };
}

/** Of attempts, not of jobs: a job that fails and is retried in vain shows here long before it is dead. */
export function failureRate(m: Metrics): Reading {
  const {
    attempts_last_minute: all,
    failed_attempts_last_minute: failed,
    cancelled_last_minute: cancelled,
  } = m;
  const apart = cancelled > 0 ? `, ${formatNumber(cancelled)} cancelled` : "";
  if (all === 0) return { value: "–", note: `no attempt ended${apart}` };
  const rate = (100 * failed) / all;
  return {
    value: `${rate > 0 && rate < 1 ? "<1" : Math.round(rate)} %`,
    note: `${formatNumber(failed)} of ${count(all, "attempt")}${apart}`,
    ...(rate >= 25 && all >= 4 ? { tone: "red" as const } : {}),
  };
}

export function dead(m: Metrics): Reading {
  return {
    value: formatCompact(m.dead),
    exact: formatNumber(m.dead),
    note: m.dead > 0 ? "in the dead-letter queue" : "no dead letters",
    ...(m.dead > 0 ? { tone: "red" as const } : {}),
  };
}
