"use client";

import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { usePolled } from "@/_api/polling";
import { isNotFound } from "@/_api/problem";
import { MOST_PROCESSING, processingQuery, workerQuery, workersQuery } from "@/_api/queries";
import { isJobId } from "@/_components/id";
import { buttonClass } from "@/_components/ui/button";
import { Card, Skeleton } from "@/_components/ui/surface";
import { useRowKeys } from "@/_components/ui/use-row-keys";
import { EmptyState, ErrorState } from "@/_components/ui/view-states";
import { EndedWorkers } from "./ended-workers";
import { WorkerCard } from "./worker-card";

/** The workers, or the one that the address names. */
export function WorkerView() {
  const id = useSearchParams().get("id")?.toLowerCase();
  useRowKeys(id);
  if (id && isJobId(id)) return <OneWorker id={id} />;
  return (
    <>
      <WorkerList />
      <EndedWorkers />
    </>
  );
}

/** Every worker process that lives: what it does and when it last said so. */
function WorkerList() {
  const { data, isError, error, refetch } = usePolled(workersQuery());
  const jobs = usePolled(processingQuery()).data;
  if (!data) {
    return isError ? (
      <Card>
        <ErrorState error={error} onRetry={() => void refetch()} />
      </Card>
    ) : (
      <WorkerSkeleton />
    );
  }
  if (data.length === 0) {
    return (
      <Card>
        <EmptyState title="No worker is running">
          Jobs are accepted and kept, but none starts. Start a worker process: it shows up here within a
          second.
        </EmptyState>
      </Card>
    );
  }
  return (
    <ul className="grid items-start gap-4 lg:grid-cols-2">
      {data.map((worker) => {
        const own = jobs?.filter((job) => job.worker_id === worker.id);
        const known = own && jobs && jobs.length < MOST_PROCESSING;
        return (
          <li key={worker.id} className="min-w-0">
            <WorkerCard worker={worker} jobs={own} running={known ? own.length : worker.running} />
          </li>
        );
      })}
    </ul>
  );
}

/** One worker, also of an earlier session, with all jobs that it runs. */
function OneWorker({ id }: { id: string }) {
  const { data, isError, error, refetch } = usePolled(workerQuery(id));
  const all = (
    <Link href="/workers" prefetch={false} className={buttonClass()}>
      All workers
    </Link>
  );
  if (isNotFound(error)) {
    return (
      <Card>
        <EmptyState title="This worker is not known" action={all}>
          No worker has the id <span className="font-mono text-xs break-all">{id}</span>, or it ended more
          than 24 hours ago.
        </EmptyState>
      </Card>
    );
  }
  if (!data) {
    return isError ? (
      <Card>
        <ErrorState error={error} onRetry={() => void refetch()} />
      </Card>
    ) : (
      <WorkerSkeleton />
    );
  }
  return (
    <div className="flex max-w-3xl flex-col gap-4">
      <WorkerCard worker={data.worker} jobs={data.jobs} running={data.jobs.length} all />
      <div>{all}</div>
    </div>
  );
}

export function WorkerSkeleton() {
  return (
    <div role="status" aria-label="Loading the workers" className="grid gap-4 lg:grid-cols-2">
      <Card className="flex h-[15.5rem] flex-col gap-4 p-5">
        <Skeleton className="h-5 w-40" />
        <Skeleton className="h-4 w-full" />
        <Skeleton className="h-4 w-64" />
      </Card>
    </div>
  );
}
