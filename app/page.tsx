import type { Metadata } from "next";
import { ClientView } from "./_components/client-view";
import { JobList } from "./_components/jobs/job-list";
import { JobListSkeleton } from "./_components/jobs/job-list-skeleton";
import { Attention } from "./_components/overview/attention";
import { Tiles } from "./_components/overview/tiles";
import { PageHeader } from "./_components/page-header";

export const metadata: Metadata = { title: { absolute: "Overview · Windlass" } };

export default function OverviewPage() {
  return (
    <>
      <PageHeader title="Overview" lead="What the job system is doing right now" />
      <Tiles />
      <Attention />
      <ClientView fallback={<JobListSkeleton />}>
        <JobList />
      </ClientView>
    </>
  );
}
