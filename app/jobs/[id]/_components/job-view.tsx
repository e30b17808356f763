"use client";

import Link from "next/link";
import { usePolled } from "@/_api/polling";
import { isNotFound } from "@/_api/problem";
import { jobQuery } from "@/_api/queries";
import { MaybeStale, useStaleSince } from "@/_components/time/stale";
import { buttonClass } from "@/_components/ui/button";
import { Card } from "@/_components/ui/surface";
import { EmptyState, ErrorState } from "@/_components/ui/view-states";
import { ErrorPanel } from "./error-panel";
import { JobFacts } from "./job-facts";
import { JobHeader } from "./job-header";
import { JobMetadata } from "./job-metadata";
import { JobSkeleton } from "./job-skeleton";
import { JsonPanel } from "./json-panel";
import { lastError } from "./last-error";
import { Timeline } from "./timeline";

/** A job whole, followed while it moves. */
export function JobView({ id }: { id: string }) {
  const query = usePolled(jobQuery(id));
  const job = query.data;
  const since = useStaleSince(jobQuery(id).queryKey);
  if (isNotFound(query.error)) return <Missing id={id} />;
  if (!job) {
    return query.isError ? (
      <Card>
        <h1 className="sr-only">Job</h1>
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      </Card>
    ) : (
      <JobSkeleton />
    );
  }
  const error = lastError(job);
  return (
    <MaybeStale since={since} className="flex flex-col gap-6">
      <JobHeader job={job} since={since} />
      <div className="grid items-start gap-6 xl:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="flex min-w-0 flex-col gap-6">
          {error && <ErrorPanel job={job} error={error} />}
          <Timeline job={job} />
          <JsonPanel title="Payload" text={job.payload} />
          {job.result !== null ? (
            <JsonPanel title="Result" text={job.result} />
          ) : (
            job.state === "completed" && (
              <JsonPanel title="Result" text="null" note="The handler returned nothing." />
            )
          )}
        </div>
        <div className="flex min-w-0 flex-col gap-6 xl:sticky xl:top-8">
          <JobFacts job={job} />
          <JobMetadata metadata={job.metadata} />
        </div>
      </div>
    </MaybeStale>
  );
}

function Missing({ id }: { id: string }) {
  return (
    <Card>
      <h1 className="sr-only">Job not found</h1>
      <EmptyState
        title="This job is not found"
        action={
          <Link href="/" className={buttonClass()}>
            To the overview
          </Link>
        }
      >
        No job has the id <span className="font-mono text-xs break-all">{id}</span>. It may have been deleted,
        or removed because it was older than the retention time.
      </EmptyState>
    </Card>
  );
}
