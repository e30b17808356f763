"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { jobsQuery, NEWER_LIMIT } from "@/_api/queries";
import { JOB_STATE } from "../job-state";
import { count, formatNumber } from "../numbers";
import { AsOf, MaybeStale, useStaleSince } from "../time/stale";
import { Button, buttonClass } from "../ui/button";
import { cx } from "../ui/cx";
import { Card } from "../ui/surface";
import { EmptyState, ErrorState } from "../ui/view-states";
import { BulkBar } from "./bulk-bar";
import { FreshRows } from "./fresh-rows";
import { JobFilters } from "./job-filters";
import { JobRowsSkeleton } from "./job-list-skeleton";
import { JobTable } from "./job-table";
import { isFiltered, listHref, readFilter } from "./search-params";
import type { Shown } from "./still";
import { useJobList } from "./use-job-list";
import { useListKeys } from "./use-list-keys";
import { useSelection } from "./use-selection";
import { useWayBack } from "./use-way-back";
import { leaveList } from "./way-back";

/** The newest jobs, filtered by the URL. */
export function JobList() {
  const filter = readFilter(useSearchParams());
  const { list, shown, reading, fresh, renew } = useJobList(filter);
  const selection = useSelection(shown);
  const since = useStaleSince(jobsQuery(filter, reading, undefined).queryKey);
  const question = useListKeys({ selection, renew: fresh > 0 ? renew : undefined });
  useWayBack(shown);
  const changing = list.isPlaceholderData;
  const there = shown ? shown.jobs.length - shown.gone.size : 0;

  return (
    <section aria-label="Jobs" className="flex flex-col gap-3">
      <JobFilters filter={filter} />
      <Card
        className={cx("relative transition-opacity", changing && "pointer-events-none opacity-60")}
        onClickCapture={(event) => noteOpened(event.target, shown, reading)}
      >
        {fresh > 0 && !changing && <FreshRows count={fresh} more={fresh >= NEWER_LIMIT} onShow={renew} />}
        {shown ? (
          shown.jobs.length > 0 ? (
            <MaybeStale since={since}>
              <JobTable shown={shown} selection={selection} />
            </MaybeStale>
          ) : list.hasNextPage ? null : (
            <NoJobs filter={filter} fresh={fresh} onShow={renew} />
          )
        ) : list.isError ? (
          <ErrorState error={list.error} onRetry={() => void list.refetch()} />
        ) : (
          <JobRowsSkeleton />
        )}
      </Card>
      {shown && (shown.jobs.length > 0 || list.hasNextPage) && (
        <div className="flex min-h-9 items-center justify-between gap-4">
          <p className="tabular text-xs text-ink-faint">
            {shown.complete ? "All " : "The newest "}
            {formatNumber(there)} are shown
            {since > 0 && (
              <>
                , <AsOf since={since} />
              </>
            )}
            .
          </p>
          {list.hasNextPage && (
            <Button
              onClick={() => void list.fetchNextPage()}
              disabledReason={list.isFetchingNextPage && "Loading"}
            >
              {list.isFetchingNextPage ? "Loading…" : "Load more"}
            </Button>
          )}
        </div>
      )}
      <BulkBar selection={selection} onDone={renew} />
      {question}
    </section>
  );
}

/** Keeps the way back to a row that is opened. */
function noteOpened(target: EventTarget, shown: Shown | undefined, reading: number) {
  const link = target instanceof Element ? target.closest<HTMLAnchorElement>("a[data-job]") : null;
  if (link?.dataset.job && shown)
    leaveList(
      shown.jobs.map(({ id }) => id),
      link.dataset.job,
      reading,
    );
}

type NoJobsProps = { filter: ReturnType<typeof readFilter>; fresh: number; onShow: () => void };

function NoJobs({ filter, fresh, onShow }: NoJobsProps) {
  if (fresh > 0) {
    return (
      <EmptyState
        title={`${count(fresh, "job")} came since this page was opened.`}
        action={<Button onClick={onShow}>Show</Button>}
      />
    );
  }
  if (!isFiltered(filter)) {
    return (
      <EmptyState
        title="No jobs yet"
        action={
          <Link href="/create" className={buttonClass("primary")}>
            <Plus /> Create the first job
          </Link>
        }
      >
        Jobs that are submitted appear here, with their state, their attempts and their errors.
      </EmptyState>
    );
  }
  const others = { ...filter, state: undefined };
  return (
    <EmptyState
      title={filter.state && !isFiltered(others) ? JOB_STATE[filter.state].empty : "No job fits this filter."}
      action={
        <Link href={listHref({})} prefetch={false} className={buttonClass()}>
          Show all jobs
        </Link>
      }
    />
  );
}
