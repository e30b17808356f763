import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { ClientView } from "@/_components/client-view";
import { isJobId } from "@/_components/id";
import { JobSkeleton } from "./_components/job-skeleton";
import { JobView } from "./_components/job-view";

export const metadata: Metadata = { title: "Job" };

// The export holds one page for all jobs, with this id. The server puts in the one that is asked for.
const PLACEHOLDER = "00000000-0000-0000-0000-000000000000";
export const generateStaticParams = () => [{ id: PLACEHOLDER }];

export default async function JobPage({ params }: PageProps<"/jobs/[id]">) {
  const { id } = await params;
  if (!isJobId(id)) notFound();
  return (
    <ClientView fallback={<JobSkeleton />}>
      <JobView id={id.toLowerCase()} />
    </ClientView>
  );
}
