"use client";

import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { cx } from "../ui/cx";
import { FrozenTime, serverTime, useTime } from "./clock";
import { formatClock, formatExact } from "./format";

// What could not be refreshed looks like it: grey, with the time that it is of, and with clocks that stand.

const STALE_MS = 30_000; // longer than the slowest refresh takes

/**
 * Since when the answers to some queries are old, in milliseconds by the server's clock: of the oldest of them. 0 while
 * all are fresh. An answer is old when the last refresh failed, or when none came for half a minute.
 */
export function useStaleSince(...queryKeys: QueryKey[]): number {
  const client = useQueryClient();
  return useTime(() => {
    let since = 0;
    for (const queryKey of queryKeys) {
      const state = client.getQueryState(queryKey);
      if (!state?.dataUpdatedAt) continue;
      if (state.status !== "error" && Date.now() - state.dataUpdatedAt < STALE_MS) continue;
      since = since === 0 ? state.dataUpdatedAt : Math.min(since, state.dataUpdatedAt);
    }
    return since === 0 ? 0 : serverTime(since);
  });
}

/** Whether the last refresh of something that is shown failed. */
export function useSomethingFails(): boolean {
  const client = useQueryClient();
  return useTime(() =>
    client
      .getQueryCache()
      .findAll({ type: "active" })
      .some(({ state }) => state.status === "error" && state.data !== undefined),
  );
}

/** Draws what is old grey, and stops the clocks within. */
export function MaybeStale({
  since,
  className,
  children,
}: {
  since: number;
  className?: string;
  children: ReactNode;
}) {
  return (
    <FrozenTime value={since || undefined}>
      <div data-stale={since > 0 || undefined} className={cx(className, since > 0 && "opacity-80 grayscale")}>
        {children}
      </div>
    </FrozenTime>
  );
}

/** "as of 19:18:20" */
export function AsOf({ since, className }: { since: number; className?: string }) {
  const at = new Date(since).toISOString();
  return (
    <time dateTime={at} title={formatExact(at)} className={cx("tabular whitespace-nowrap", className)}>
      as of {formatClock(at)}
    </time>
  );
}
