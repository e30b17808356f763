import { Card, Skeleton } from "@/_components/ui/surface";

export function CreateSkeleton() {
  return (
    <div
      role="status"
      aria-label="Loading the job types"
      className="grid gap-6 xl:grid-cols-[minmax(0,1fr)_21rem]"
    >
      <div className="flex flex-col gap-4">
        <Card className="flex h-36 flex-col gap-4 p-5">
          <Skeleton className="h-4 w-20" />
          <Skeleton className="h-9 w-full" />
          <Skeleton className="h-4 w-64" />
        </Card>
        <Card className="flex h-96 flex-col gap-4 p-5">
          <Skeleton className="h-4 w-20" />
          <Skeleton className="grow" />
        </Card>
      </div>
      <Card className="flex h-80 flex-col gap-4 p-5">
        <Skeleton className="h-4 w-24" />
        <Skeleton className="grow" />
      </Card>
    </div>
  );
}
