"use client";

import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { usePolled } from "@/_api/polling";
import { type JobFilter, jobTypesQuery, metricsQuery, queuesQuery } from "@/_api/queries";
import type { JobState, Metrics } from "@/_api/types";
import { JOB_STATE, JOB_STATES } from "../job-state";
import { PairChips } from "../metadata/pair-chips";
import { formatCompact } from "../numbers";
import { visible } from "../text/visible";
import { Button } from "../ui/button";
import { cx } from "../ui/cx";
import { Select } from "../ui/field";
import { isFiltered, listHref } from "./search-params";

/** How many jobs the filter of a state shows; undefined where nobody counts. */
export function countOf(state: JobState, m: Metrics): number | undefined {
  switch (state) {
    case "waiting":
      return Math.max(
        0,
        m.total_jobs - m.scheduled - m.retrying - m.active_jobs - m.completed_jobs - m.failed_jobs,
      );
    case "running":
      return m.active_jobs;
    case "completed":
      return m.completed_jobs;
    case "retrying":
    case "scheduled":
    case "dead":
    case "cancelled":
      return m[state];
    case "cancelling":
      return undefined;
  }
}

/** Puts a filter into the URL. Next follows the browser's history, so nothing is asked of the server. */
export function applyFilter(filter: JobFilter) {
  window.history.pushState(null, "", listHref(filter, window.location.pathname));
}

export function JobFilters({ filter }: { filter: JobFilter }) {
  const { data, isError } = usePolled(metricsQuery());
  // The counts are of all queues and types. Beside a narrower filter they would promise what a click does not show.
  const narrower = filter.type || filter.queue || filter.metadata?.length;
  const metrics = narrower || isError ? undefined : data;
  const choose = (state?: JobState) => applyFilter({ ...filter, state, due: undefined });
  const states = JOB_STATES.filter((state) => state !== "cancelling" || filter.state === state);
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
      <fieldset className="-mx-4 flex min-w-0 max-w-[calc(100%+2rem)] gap-0.5 overflow-x-auto px-4 py-0.5 [scrollbar-width:none] sm:mx-0 sm:max-w-full sm:px-0.5">
        <legend className="sr-only">State</legend>
        <Tab
          label="All"
          count={metrics?.total_jobs}
          on={!filter.state && !filter.due}
          onClick={() => choose()}
        />
        {filter.due && (
          <Tab
            label="Due now"
            count={metrics?.queue_length}
            on
            onClick={() => applyFilter({ ...filter, due: undefined })}
          />
        )}
        {states.map((state) => (
          <Tab
            key={state}
            label={JOB_STATE[state].label}
            count={metrics && countOf(state, metrics)}
            on={filter.state === state}
            onClick={() => choose(state)}
          />
        ))}
      </fieldset>
      <NameFilters filter={filter} />
      <PairChips pairs={filter.metadata} onChange={(metadata) => applyFilter({ ...filter, metadata })} />
    </div>
  );
}

type TabProps = { label: string; count: number | undefined; on: boolean; onClick: () => void };

function Tab({ label, count, on, onClick }: TabProps) {
  return (
    <button
      type="button"
      aria-pressed={on}
      data-filter={on || undefined}
      onClick={onClick}
      className={cx(
        "inline-flex h-8 shrink-0 items-center gap-1.5 rounded-md px-2.5 text-[0.8125rem] font-medium",
        on
          ? "bg-surface text-ink shadow-card ring-1 ring-line"
          : "text-ink-soft hover:bg-neutral-wash hover:text-ink",
      )}
    >
      {label}
      <span
        className={cx(
          "tabular min-w-[4ch] text-left text-xs font-normal",
          on ? "text-ink-soft" : "text-ink-faint",
        )}
      >
        {count === undefined ? "" : formatCompact(count)}
      </span>
    </button>
  );
}

/** Type and queue: what every list of jobs is filtered by. */
export function NameFilters({ filter }: { filter: JobFilter }) {
  const types = useQuery(jobTypesQuery()).data ?? [];
  const queues = usePolled(queuesQuery(), 3).data ?? [];
  const typeNames = names([...types.map((type) => type.name), filter.type]);
  const queueNames = names([
    ...queues.map((queue) => queue.name),
    ...types.map((type) => type.queue),
    filter.queue,
  ]);
  return (
    <div className="flex items-center gap-2">
      {isFiltered(filter) && (
        <Button variant="ghost" size="small" icon={<X />} onClick={() => applyFilter({})}>
          Clear
        </Button>
      )}
      <Select
        small
        aria-label="Type"
        value={filter.type ?? ""}
        onChange={(event) => applyFilter({ ...filter, type: event.target.value || undefined })}
        className="w-32!"
      >
        <option value="">All types</option>
        {typeNames.map((name) => (
          <option key={name} value={name}>
            {visible(name)}
          </option>
        ))}
      </Select>
      <Select
        small
        aria-label="Queue"
        value={filter.queue ?? ""}
        onChange={(event) => applyFilter({ ...filter, queue: event.target.value || undefined })}
        className="w-32!"
      >
        <option value="">All queues</option>
        {queueNames.map((name) => (
          <option key={name} value={name}>
            {visible(name)}
          </option>
        ))}
      </Select>
    </div>
  );
}

function names(list: (string | undefined)[]): string[] {
  return [...new Set(list.filter((name) => name !== undefined))].sort();
}
