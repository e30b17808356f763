import type { Metadata } from "next";
import { PageHeader } from "../_components/page-header";
import { QueueTable } from "./_components/queue-table";

export const metadata: Metadata = { title: "Queues" };

export default function QueuesPage() {
  return (
    <>
      <PageHeader title="Queues" lead="Where jobs wait until a worker takes them" />
      <QueueTable />
    </>
  );
}
