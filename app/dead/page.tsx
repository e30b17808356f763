import type { Metadata } from "next";
import { ClientView } from "../_components/client-view";
import { PageHeader } from "../_components/page-header";
import { DeadLetters } from "./_components/dead-letters";
import { DeadSkeleton } from "./_components/dead-skeleton";

export const metadata: Metadata = { title: "Dead letters" };

export default function DeadPage() {
  return (
    <>
      <PageHeader
        title="Dead letters"
        lead="Jobs that failed permanently. They can be inspected, exported and retried"
      />
      <ClientView fallback={<DeadSkeleton />}>
        <DeadLetters />
      </ClientView>
    </>
  );
}
