import type { Metadata } from "next";
import { ClientView } from "../_components/client-view";
import { PageHeader } from "../_components/page-header";
import { CreateForm } from "./_components/create-form";
import { CreateSkeleton } from "./_components/create-skeleton";

export const metadata: Metadata = { title: "New job" };

export default function CreatePage() {
  return (
    <>
      <PageHeader
        title="New job"
        lead="Once accepted it is kept, run at least once, and retried if it fails"
      />
      <ClientView fallback={<CreateSkeleton />}>
        <CreateForm />
      </ClientView>
    </>
  );
}
