import type { Metadata } from "next";
import { PageHeader } from "../_components/page-header";
import { WorkerList } from "./_components/worker-list";

export const metadata: Metadata = { title: "Workers" };

export default function WorkersPage() {
  return (
    <>
      <PageHeader title="Workers" lead="The processes that run jobs" />
      <WorkerList />
    </>
  );
}
