import { Card, Skeleton } from "../ui/surface";

const ROWS = Array.from({ length: 10 }, (_, i) => `row-${i}`);

/** Rows of the final height, while the first page is on its way. */
export function JobRowsSkeleton() {
  return (
    <div role="status" aria-label="Loading the jobs">
      <div className="h-9 border-b border-line" />
      {ROWS.map((row) => (
        <div
          key={row}
          className="flex h-14 items-center gap-4 border-b border-line px-4 last:border-0 sm:h-11"
        >
          <Skeleton className="h-5 w-24" />
          <Skeleton className="h-3.5 w-40" />
          <Skeleton className="hidden h-3.5 grow sm:block" />
          <Skeleton className="ml-auto h-3.5 w-8" />
        </div>
      ))}
    </div>
  );
}

export function JobListSkeleton() {
  return (
    <div className="flex flex-col gap-3">
      <div className="h-9" />
      <Card>
        <JobRowsSkeleton />
      </Card>
    </div>
  );
}
