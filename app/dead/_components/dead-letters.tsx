"use client";

import { Download, RotateCw } from "lucide-react";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { useEffect, useState } from "react";
import { usePolled, usePolledList } from "@/_api/polling";
import { deadQuery, metricsQuery } from "@/_api/queries";
import { BulkBar } from "@/_components/jobs/bulk-bar";
import { applyFilter, NameFilters } from "@/_components/jobs/job-filters";
import { isFiltered, readFilter } from "@/_components/jobs/search-params";
import { useListKeys } from "@/_components/jobs/use-list-keys";
import { useSelection } from "@/_components/jobs/use-selection";
import { PairChips } from "@/_components/metadata/pair-chips";
import { count, formatNumber } from "@/_components/numbers";
import { Button, buttonClass } from "@/_components/ui/button";
import { Card } from "@/_components/ui/surface";
import { EmptyState, ErrorState } from "@/_components/ui/view-states";
import { DeadGroupRow } from "./dead-group-row";
import { DeadSkeleton } from "./dead-skeleton";
import { groupDead } from "./groups";
import { type Redrive, RedriveDialog } from "./redrive-dialog";
import { useExport } from "./use-export";

const MOST_PAGES = 5; // of 200: what is grouped and shown; more is redriven by filter

/** The dead-letter queue, by what went wrong. */
export function DeadLetters() {
  const { type, queue, metadata } = readFilter(useSearchParams());
  const names = { ...(type ? { type } : {}), ...(queue ? { queue } : {}) };
  const filter = { ...names, ...(metadata ? { metadata } : {}) };
  const list = usePolledList(deadQuery(filter));
  const metrics = usePolled(metricsQuery()).data;
  const [redrive, setRedrive] = useState<Redrive>();
  const exporting = useExport();

  const jobs = list.data?.pages.flatMap((page) => page.jobs) ?? [];
  const groups = groupDead(jobs);
  const selection = useSelection(jobs);
  useListKeys(selection);

  const { hasNextPage, isFetching, fetchNextPage } = list;
  const loaded = list.data?.pages.length ?? 0;
  useEffect(() => {
    if (hasNextPage && loaded < MOST_PAGES && !isFetching) void fetchNextPage();
  }, [hasNextPage, loaded, isFetching, fetchNextPage]);

  if (!list.data) {
    return list.isError ? (
      <Card>
        <ErrorState error={list.error} onRetry={() => void list.refetch()} />
      </Card>
    ) : (
      <DeadSkeleton />
    );
  }

  const filtered = isFiltered(filter);
  const total = hasNextPage && !filtered ? Math.max(metrics?.dead ?? 0, jobs.length) : jobs.length;
  const none = jobs.length === 0 && "There is nothing to send back";
  // The API redrives by type and queue, not by metadata: then those that are shown are named.
  const byFilter = Boolean(hasNextPage) && !metadata;
  const all: Redrive = byFilter
    ? {
        what: filtered ? "all that match" : "all",
        request: { filter: names },
        count: total,
        exact: !filtered,
      }
    : {
        what: hasNextPage ? "all that are shown" : filtered ? "all that match" : "all",
        request: { ids: jobs.map((job) => job.id) },
        count: jobs.length,
        exact: true,
      };

  return (
    <section aria-label="Dead jobs" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="tabular text-ink-soft" role="status">
          {hasNextPage
            ? `${formatNumber(total)}${filtered ? " or more" : ""} jobs, the newest ${formatNumber(jobs.length)} are shown`
            : `${count(jobs.length, "job")} in ${count(groups.length, "group")}`}
        </p>
        <div className="flex flex-wrap items-center gap-2">
          <NameFilters filter={filter} />
          <Button
            size="small"
            className="h-8!"
            icon={<Download />}
            disabledReason={
              exporting.isPending
                ? "The export is under way"
                : jobs.length === 0 && "There is nothing to export"
            }
            onClick={() => exporting.mutate(jobs.map((job) => job.id))}
          >
            {exporting.isPending ? "Exporting…" : "Export"}
          </Button>
          <Button
            size="small"
            variant="primary"
            className="h-8!"
            icon={<RotateCw />}
            disabledReason={none}
            onClick={() => setRedrive(all)}
          >
            Retry all…
          </Button>
        </div>
        <PairChips pairs={metadata} onChange={(pairs) => applyFilter({ ...names, metadata: pairs })} />
      </div>
      <Card>
        {groups.length > 0 ? (
          <ul className="divide-y divide-line">
            {groups.map((group) => (
              <DeadGroupRow
                key={group.key}
                group={group}
                selection={selection}
                open={groups.length === 1}
                onRetry={() => setRedrive(redriveOf(group, names, byFilter))}
              />
            ))}
          </ul>
        ) : (
          <EmptyState
            title={filtered ? "No dead job fits this filter." : "No dead letters"}
            action={
              <Link href="/" className={buttonClass()}>
                To the overview
              </Link>
            }
          >
            {filtered
              ? "Others may be there: clear the filter to see them."
              : "Every job that failed was brought through by a retry, or still has attempts left."}
          </EmptyState>
        )}
      </Card>
      <BulkBar selection={selection} />
      <RedriveDialog redrive={redrive} onClose={() => setRedrive(undefined)} />
    </section>
  );
}

const LONGEST_ERROR = 200; // characters, of the API's filter

function redriveOf(
  group: ReturnType<typeof groupDead>[number],
  filter: { queue?: string },
  incomplete: boolean,
): Redrive {
  const what = `${group.type} jobs that died of “${group.error}”`;
  const byIds = {
    what,
    request: { ids: group.jobs.map((job) => job.id) },
    count: group.jobs.length,
    exact: true,
  };
  if (!incomplete || !group.error) return byIds;
  const error = [...group.error].slice(0, LONGEST_ERROR).join("");
  const request = { filter: { type: group.type, error, ...(filter.queue ? { queue: filter.queue } : {}) } };
  return { what, request, count: group.jobs.length, exact: false };
}
