"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { usePolledList } from "@/_api/polling";
import { jobsQuery } from "@/_api/queries";
import { JOB_STATE } from "../job-state";
import { formatNumber } from "../numbers";
import { Button, buttonClass } from "../ui/button";
import { Card } from "../ui/surface";
import { EmptyState, ErrorState } from "../ui/view-states";
import { BulkBar } from "./bulk-bar";
import { JobFilters } from "./job-filters";
import { JobRowsSkeleton } from "./job-list-skeleton";
import { JobTable } from "./job-table";
import { isFiltered, listHref, readFilter } from "./search-params";
import { useListKeys } from "./use-list-keys";
import { useSelection } from "./use-selection";

/** The newest jobs, filtered by the URL. */
export function JobList() {
  const filter = readFilter(useSearchParams());
  const list = usePolledList(jobsQuery(filter));
  const jobs = list.data?.pages.flatMap((page) => page.jobs) ?? [];
  const selection = useSelection(jobs);
  useListKeys(selection);

  return (
    <section aria-label="Jobs" className="flex flex-col gap-3">
      <JobFilters filter={filter} />
      <Card className={list.isPlaceholderData ? "opacity-60 transition-opacity" : "transition-opacity"}>
        {list.data ? (
          jobs.length > 0 ? (
            <JobTable jobs={jobs} selection={selection} />
          ) : list.hasNextPage ? null : (
            <NoJobs filter={filter} />
          )
        ) : list.isError ? (
          <ErrorState error={list.error} onRetry={() => void list.refetch()} />
        ) : (
          <JobRowsSkeleton />
        )}
      </Card>
      {list.data && (jobs.length > 0 || list.hasNextPage) && (
        <div className="flex min-h-9 items-center justify-between gap-4">
          <p className="tabular text-xs text-ink-faint">
            {list.hasNextPage
              ? `The newest ${formatNumber(jobs.length)} are shown.`
              : `All ${formatNumber(jobs.length)} are shown.`}
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
      <BulkBar selection={selection} />
    </section>
  );
}

function NoJobs({ filter }: { filter: ReturnType<typeof readFilter> }) {
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
        A job is accepted once and then kept: it is run, retried if it fails, and stays here to be looked at.
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
