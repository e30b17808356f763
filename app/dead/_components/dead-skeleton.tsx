import { Card, Skeleton } from "@/_components/ui/surface";

export function DeadSkeleton() {
  return (
    <div role="status" aria-label="Loading the dead letters" className="flex flex-col gap-3">
      <div className="h-9" />
      <Card className="divide-y divide-line">
        {["a", "b", "c", "d"].map((row) => (
          <div key={row} className="flex h-[4.25rem] items-center gap-4 px-4">
            <Skeleton className="h-6 w-10" />
            <Skeleton className="h-4 w-72 max-w-[60%]" />
            <Skeleton className="ml-auto h-7 w-20" />
          </div>
        ))}
      </Card>
    </div>
  );
}
