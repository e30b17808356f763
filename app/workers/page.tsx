import type { Metadata } from "next";
import { ClientView } from "../_components/client-view";
import { PageHeader } from "../_components/page-header";
import { WorkerSkeleton, WorkerView } from "./_components/worker-list";

export const metadata: Metadata = { title: "Workers" };

export default function WorkersPage() {
  return (
    <>
      <PageHeader title="Workers" lead="The processes that run jobs" />
      <ClientView fallback={<WorkerSkeleton />}>
        <WorkerView />
      </ClientView>
    </>
  );
}
