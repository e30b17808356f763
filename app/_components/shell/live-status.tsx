"use client";

import { Pause, Play } from "lucide-react";
import { usePolled, usePolling } from "@/_api/polling";
import { metricsQuery } from "@/_api/queries";
import { useSomethingFails } from "../time/stale";
import { cx } from "../ui/cx";

/** Whether the page follows the system, and the switch to stop it. */
export function LiveStatus({ compact = false }: { compact?: boolean }) {
  const { stopped, setStopped, held } = usePolling();
  const { isError } = usePolled(metricsQuery());
  const partly = useSomethingFails() && !isError;
  const word = isError ? "API down" : partly ? "Partly old" : stopped ? "Paused" : held ? "Held" : "Live";
  const hint = partly
    ? "A part of this page could not be refreshed. It is grey."
    : stopped
      ? "Refreshing is paused. Press to resume."
      : held
        ? "Refreshing is paused while rows are selected."
        : "The page refreshes every 2 seconds. Press to pause.";
  const Icon = stopped ? Play : Pause;
  return (
    <button
      type="button"
      aria-pressed={stopped}
      aria-label={`${word}: ${stopped ? "resume refreshing" : "pause refreshing"}`}
      title={hint}
      onClick={() => setStopped(!stopped)}
      className={cx(
        "group flex h-8 items-center gap-2 rounded-md px-2 text-xs font-medium text-ink-soft hover:bg-hover",
        compact ? "" : "-ml-0.5 w-full",
      )}
    >
      <span
        aria-hidden
        className={cx(
          "size-2 rounded-full",
          isError
            ? "bg-red"
            : stopped || held || partly
              ? "bg-amber"
              : "bg-green motion-safe:animate-breathe",
        )}
      />
      <span className={compact ? "" : "grow text-left"}>{word}</span>
      <Icon
        aria-hidden
        className={cx("size-3.5 text-ink-faint", compact ? "hidden" : "opacity-0 group-hover:opacity-100")}
      />
    </button>
  );
}
