"use client";

import { Download, RotateCw } from "lucide-react";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { useEffect, useMemo, useState } from "react";
import { usePolled, usePolledList } from "@/_api/polling";
import { deadQuery, metricsQuery } from "@/_api/queries";
import type { JobSummary } from "@/_api/types";
import { BulkBar } from "@/_components/jobs/bulk-bar";
import { FreshRows } from "@/_components/jobs/fresh-rows";
import { applyFilter, NameFilters } from "@/_components/jobs/job-filters";
import { isFiltered, readFilter } from "@/_components/jobs/search-params";
import { arrivals } from "@/_components/jobs/still";
import { useListKeys } from "@/_components/jobs/use-list-keys";
import { useSelection } from "@/_components/jobs/use-selection";
import { useStill } from "@/_components/jobs/use-still";
import { useWayBack } from "@/_components/jobs/use-way-back";
import { leaveList } from "@/_components/jobs/way-back";
import { PairChips } from "@/_components/metadata/pair-chips";
import { count, formatNumber } from "@/_components/numbers";
import { AsOf, MaybeStale, useStaleSince } from "@/_components/time/stale";
import { Button, buttonClass } from "@/_components/ui/button";
import { Card } from "@/_components/ui/surface";
import { EmptyState, ErrorState } from "@/_components/ui/view-states";
import { DeadGroupRow } from "./dead-group-row";
import { DeadSkeleton } from "./dead-skeleton";
import { type DeadGroup, groupDead } from "./groups";
import { RedriveDialog } from "./redrive-dialog";
import { type Redrive, redriveAll, redriveGroup } from "./redrives";
import { useExport } from "./use-export";

const MOST_PAGES = 5; // of 200: what is grouped and shown; more is retried by filter

const NONE: ReadonlySet<string> = new Set();

/** The dead-letter queue, by what went wrong. */
export function DeadLetters() {
  const { type, queue, metadata } = readFilter(useSearchParams());
  const names = { ...(type ? { type } : {}), ...(queue ? { queue } : {}) };
  const filter = { ...names, ...(metadata ? { metadata } : {}) };
  const list = usePolledList(deadQuery(filter));
  const metrics = usePolled(metricsQuery()).data;
  const since = useStaleSince(deadQuery(filter).queryKey);
  const [redrive, setRedrive] = useState<Redrive>();
  const [reading, setReading] = useState(0);
  const renew = () => setReading((n) => n + 1);
  const exporting = useExport();

  const { data, hasNextPage, isFetching, isError, isPlaceholderData, fetchNextPage } = list;
  const loaded = data?.pages.length ?? 0;
  const loading = hasNextPage && loaded < MOST_PAGES && !isPlaceholderData;
  useEffect(() => {
    if (hasNextPage && loaded < MOST_PAGES && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, loaded, isFetching, isError, fetchNextPage]);

  // A page of groups is made of all its jobs at once: else the groups would change their places as the jobs come.
  const answer = useMemo(
    () => data && { jobs: data.pages.flatMap((page) => page.jobs), complete: !hasNextPage, pages: 1 },
    [data, hasNextPage],
  );
  const still = useStill(
    isPlaceholderData || loading ? undefined : answer,
    `${reading} ${JSON.stringify(filter)}`,
  );
  const shown = still?.shown;
  const start = still?.start;
  const order = useMemo(() => groupDead(start?.jobs ?? []), [start]);
  const groups = useMemo(() => present(order, shown?.gone ?? NONE), [order, shown]);
  const selection = useSelection(shown);
  const fresh = shown && answer ? arrivals(shown, answer.jobs) : 0;
  const question = useListKeys({ selection, renew: fresh > 0 ? renew : undefined });
  useWayBack(shown);

  if (!shown) {
    return isError ? (
      <Card>
        <ErrorState error={list.error} onRetry={() => void list.refetch()} />
      </Card>
    ) : (
      <DeadSkeleton />
    );
  }

  const jobs = groups.flatMap((group) => group.jobs);
  const filtered = isFiltered(filter);
  const incomplete = !shown.complete;
  const nothing = jobs.length === 0;
  const all = () =>
    setRedrive(
      redriveAll({
        shown: jobs,
        names,
        filtered,
        byMetadata: Boolean(metadata),
        incomplete,
        dead: Math.max(metrics?.dead ?? 0, jobs.length),
      }),
    );

  function noteOpened(target: EventTarget) {
    const link = target instanceof Element ? target.closest<HTMLAnchorElement>("a[data-job]") : null;
    if (link?.dataset.job)
      leaveList(
        jobs.map(({ id }) => id),
        link.dataset.job,
      );
  }

  return (
    <section aria-label="Dead jobs" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="tabular text-ink-soft" role="status">
          {count(jobs.length, "job")} in {count(groups.length, "group")}
          {since > 0 && (
            <>
              , <AsOf since={since} />
            </>
          )}
        </p>
        <div className="flex flex-wrap items-center gap-2">
          <NameFilters filter={filter} />
          <Button
            size="small"
            className="h-8!"
            icon={<Download />}
            disabledReason={
              exporting.isPending ? "The export is running" : nothing && "There is nothing to export"
            }
            onClick={() => exporting.mutate(jobs.map((job) => job.id))}
          >
            {exporting.isPending
              ? "Exporting…"
              : incomplete
                ? `Export newest ${formatNumber(jobs.length)}`
                : "Export"}
          </Button>
          <Button
            size="small"
            variant="primary"
            className="h-8!"
            icon={<RotateCw />}
            disabledReason={nothing && "There is nothing to retry"}
            onClick={all}
          >
            {incomplete && metadata ? "Retry these…" : "Retry all…"}
          </Button>
        </div>
        <PairChips pairs={metadata} onChange={(pairs) => applyFilter({ ...names, metadata: pairs })} />
      </div>
      {incomplete && <NewestOnly shown={jobs.length} total={filtered ? undefined : metrics?.dead} />}
      <Card
        className={isPlaceholderData ? "pointer-events-none relative opacity-60" : "relative"}
        onClickCapture={(event) => noteOpened(event.target)}
      >
        {fresh > 0 && !isPlaceholderData && <FreshRows count={fresh} onShow={renew} />}
        {groups.length > 0 ? (
          <MaybeStale since={since}>
            <ul className="divide-y divide-line">
              {groups.map((group) => (
                <DeadGroupRow
                  key={group.key}
                  group={group}
                  selection={selection}
                  open={groups.length === 1}
                  onRetry={() => setRedrive(redriveGroup(group, incomplete))}
                />
              ))}
            </ul>
          </MaybeStale>
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
              ? "Other jobs may be dead: clear the filter to see them."
              : "Jobs that have used all their attempts, or whose handler says that no retry can help, appear here."}
          </EmptyState>
        )}
      </Card>
      <BulkBar selection={selection} onDone={renew} />
      <RedriveDialog redrive={redrive} onClose={() => setRedrive(undefined)} onDone={renew} />
      {question}
    </section>
  );
}

/** The groups in the order that they have, with the jobs that are still dead. */
function present(groups: readonly DeadGroup[], gone: ReadonlySet<string>): DeadGroup[] {
  if (gone.size === 0) return [...groups];
  return groups.map((group) => ({
    ...group,
    jobs: group.jobs.filter((job: JobSummary) => !gone.has(job.id)),
  }));
}

/** Says that the groups are of a part of the jobs, so that no number is taken for the whole. */
function NewestOnly({ shown, total }: { shown: number; total: number | undefined }) {
  return (
    <p className="tabular rounded-md bg-amber-wash px-3 py-2 text-xs text-amber">
      {total !== undefined && total > shown
        ? `${count(total, "job")} are dead. `
        : "More dead jobs match than are shown. "}
      The groups, their numbers and the export are of the newest {formatNumber(shown)}.
    </p>
  );
}
