import { Card, Skeleton } from "@/_components/ui/surface";

export function JobSkeleton() {
  return (
    <div role="status" aria-label="Loading the job" className="flex flex-col gap-6">
      <div className="flex min-h-[6.25rem] flex-col gap-3">
        <Skeleton className="h-7 w-64" />
        <Skeleton className="h-4 w-96 max-w-full" />
      </div>
      <div className="grid gap-6 xl:grid-cols-[minmax(0,1fr)_20rem]">
        <Card className="h-64" />
        <Card className="h-80" />
      </div>
    </div>
  );
}
