"use client";

import { PlugZap } from "lucide-react";
import { usePolled } from "@/_api/polling";
import { ApiProblem } from "@/_api/problem";
import { metricsQuery } from "@/_api/queries";
import { useTime } from "../time/clock";
import { formatCoarse } from "../time/format";
import { Button } from "../ui/button";

/** Says that the API is gone, above everything and without moving anything. It goes away by itself. */
export function ApiBanner() {
  const { isError, error, dataUpdatedAt, refetch } = usePolled(metricsQuery());
  const age = useTime((now) => (dataUpdatedAt ? formatCoarse(now - dataUpdatedAt) : ""));
  return (
    <div role="status" aria-live="polite">
      {isError && (
        <div className="fixed inset-x-3 bottom-20 z-30 mx-auto flex max-w-xl items-center gap-3 rounded-lg bg-raised py-2.5 pr-2.5 pl-4 shadow-float ring-1 ring-red motion-safe:animate-appear lg:bottom-5">
          <PlugZap aria-hidden className="size-5 shrink-0 text-red" />
          <p className="grow">
            <strong className="font-semibold">
              {error instanceof ApiProblem ? error.problem.title : "The API does not answer"}
            </strong>
            <span className="text-ink-soft">
              {age ? `. What you see is ${age} old` : ""}. Trying again every 2 seconds.
            </span>
          </p>
          <Button size="small" onClick={() => void refetch()}>
            Try now
          </Button>
        </div>
      )}
    </div>
  );
}
