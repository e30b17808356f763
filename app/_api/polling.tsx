"use client";

import {
  type QueryKey,
  type UseInfiniteQueryOptions,
  type UseQueryOptions,
  useInfiniteQuery,
  useQuery,
} from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import { isNotFound } from "./problem";

// Everything that moves by itself is asked for here, so that one setting says how often and whether. A hidden tab
// asks for nothing: TanStack Query sees to that, and asks anew when the tab comes back.

/** Milliseconds from one refresh to the next. */
export const POLL_MS = 2000;
const SLOWEST_POLL_MS = 20_000;

type Polling = {
  /** A person has stopped the refresh. */
  stopped: boolean;
  setStopped: (stopped: boolean) => void;
  /** Something on the page keeps it still, such as rows being selected. */
  held: boolean;
  hold: () => () => void;
};

const PollingContext = createContext<Polling | undefined>(undefined);

export function PollingProvider({ children }: { children: ReactNode }) {
  const [stopped, setStopped] = useState(false);
  const [holds, setHolds] = useState(0);
  const hold = useCallback(() => {
    setHolds((n) => n + 1);
    return () => setHolds((n) => n - 1);
  }, []);
  const value = useMemo(() => ({ stopped, setStopped, held: holds > 0, hold }), [stopped, holds, hold]);
  return <PollingContext value={value}>{children}</PollingContext>;
}

export function usePolling(): Polling {
  const polling = useContext(PollingContext);
  if (!polling) throw new Error("usePolling needs a PollingProvider");
  return polling;
}

/** Keeps the page still while active. */
export function useHold(active: boolean): void {
  const { hold } = usePolling();
  useEffect(() => (active ? hold() : undefined), [active, hold]);
}

function useInterval(factor: number): number | false {
  const { stopped, held } = usePolling();
  return stopped || held ? false : Math.min(POLL_MS * factor, Math.max(SLOWEST_POLL_MS, POLL_MS));
}

/** A query that refreshes itself, every factor-th time. */
export function usePolled<F, E extends Error, D, K extends QueryKey>(
  options: UseQueryOptions<F, E, D, K>,
  factor = 1,
) {
  const interval = useInterval(factor);
  // What is not there will not come: its id is never given again.
  return useQuery({ ...options, refetchInterval: (query) => !isNotFound(query.state.error) && interval });
}

/** A list that refreshes itself. Each page is one request, so a list of many pages is refreshed less often. */
export function usePolledList<F, E extends Error, D, K extends QueryKey, P>(
  options: UseInfiniteQueryOptions<F, E, D, K, P>,
) {
  const interval = useInterval(1);
  return useInfiniteQuery({
    ...options,
    refetchInterval: (query) =>
      interval && Math.min(interval * Math.max(1, query.state.data?.pages.length ?? 1), SLOWEST_POLL_MS),
  });
}
