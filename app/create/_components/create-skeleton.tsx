import { Card, Skeleton } from "@/_components/ui/surface";

export function CreateSkeleton() {
  return (
    <div role="status" aria-label="Loading the job types" className="flex flex-col gap-4">
      <Card className="flex h-40 flex-col gap-4 p-5">
        <Skeleton className="h-4 w-20" />
        <Skeleton className="h-9 w-full" />
        <Skeleton className="h-4 w-64" />
      </Card>
      <Card className="flex h-96 flex-col gap-4 p-5">
        <Skeleton className="h-4 w-20" />
        <Skeleton className="grow" />
      </Card>
    </div>
  );
}
